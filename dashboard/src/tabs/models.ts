/** The tab "Models": the versions side by side, and two or more of them on the same candles. */
import { el } from "../dom.ts";
import { comparePart } from "../models/compare.ts";
import { versionsPart } from "../models/versions.ts";
import type { Page, Tab } from "./tab.ts";

export function modelsTab(page: Page): Tab {
  const versions = versionsPart(page, () => compare.redraw());
  const compare = comparePart(page, () => versions.models());
  const panel = el("section", {}, versions.element, compare.element);
  let visible = false;
  return {
    id: "models",
    title: "Models",
    panel,
    shown: () => {
      visible = true;
      void versions.refresh().then(compare.redraw);
    },
    hidden: () => {
      visible = false;
    },
    changed: () => {
      // An experiment that starts or stops changes what may be unloaded.
      if (visible) void versions.refresh();
    },
  };
}
