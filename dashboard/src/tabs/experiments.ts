/** The tab "Experiments". */
import { el } from "../dom.ts";
import type { Page, Tab } from "./tab.ts";

export function experimentsTab(_page: Page): Tab {
  const panel = el("section", {});
  return { id: "experiments", title: "Experiments", panel, shown: () => undefined, hidden: () => undefined };
}
