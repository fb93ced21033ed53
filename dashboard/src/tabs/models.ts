/** The tab "Models". */
import { el } from "../dom.ts";
import type { Page, Tab } from "./tab.ts";

export function modelsTab(_page: Page): Tab {
  const panel = el("section", {});
  return { id: "models", title: "Models", panel, shown: () => undefined, hidden: () => undefined };
}
