/** The tab "Signals". */
import { el } from "../dom.ts";
import type { Page, Tab } from "./tab.ts";

export function signalsTab(_page: Page): Tab {
  const panel = el("section", {});
  return { id: "signals", title: "Signals", panel, shown: () => undefined, hidden: () => undefined };
}
