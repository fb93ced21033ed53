/** The tab "Performance". */
import { el } from "../dom.ts";
import type { Page, Tab } from "./tab.ts";

export function performanceTab(_page: Page): Tab {
  const panel = el("section", {});
  return { id: "performance", title: "Performance", panel, shown: () => undefined, hidden: () => undefined };
}
