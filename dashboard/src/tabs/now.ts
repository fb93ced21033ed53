/** The tab "Now". */
import { el } from "../dom.ts";
import type { Page, Tab } from "./tab.ts";

export function nowTab(_page: Page): Tab {
  const panel = el("section", {});
  return { id: "now", title: "Now", panel, shown: () => undefined, hidden: () => undefined };
}
