/** The tab "Experiments": all of them with a plan and a form, or one of them (#experiments/ID). */
import { el } from "../dom.ts";
import { createForm } from "../experiments/create.ts";
import { detailPart } from "../experiments/detail.ts";
import { listPart } from "../experiments/list.ts";
import { planForm } from "../experiments/plan.ts";
import type { Schemas } from "../contract.ts";
import type { Page, Tab } from "./tab.ts";

const HASH = "#experiments";

export function experimentsTab(page: Page): Tab {
  const list = listPart(page);
  const create = createForm(page, (experiment) => {
    page.tell(`${experiment.experiment_id} is created. Activate it to begin.`);
    location.hash = `${HASH}/${encodeURIComponent(experiment.experiment_id)}`;
  });
  const plan = planForm(page, create.use);
  const overview = el("div", {}, list.element, el("div", { class: "grid forms" }, plan, create.element));
  const detail = detailPart(page);
  const panel = el("section", {}, overview, detail.element);
  let visible = false;
  let opened = "";

  /** The experiment that the address names, or an empty text. */
  function named(): string {
    const part = location.hash.startsWith(`${HASH}/`) ? location.hash.slice(HASH.length + 1) : "";
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  function go(byLink = false): void {
    const before = opened;
    opened = named();
    const moved = opened !== before;
    overview.hidden = opened !== "";
    detail.element.hidden = opened === "";
    if (opened === "") detail.close();
    else detail.open(opened, byLink && moved);
    if (moved) scrollTo({ top: 0 });
    if (opened === "") void refresh();
    if (opened === "" && byLink) panel.querySelector<HTMLElement>(`[data-key="open-${CSS.escape(before)}"]`)?.focus();
  }

  async function refresh(): Promise<void> {
    await Promise.all([list.refresh(), offerVersions()]);
  }

  async function offerVersions(): Promise<void> {
    try {
      const { versions } = (await page.api.get("/reversal/models")) as Schemas["Models"];
      create.versions(Object.keys(versions));
    } catch {
      // the list says that the server cannot be read
    }
  }

  addEventListener("hashchange", () => {
    if (visible && location.hash.split("/")[0] === HASH) go(true);
  });
  return {
    id: "experiments",
    title: "Experiments",
    panel,
    shown: () => {
      visible = true;
      // Another tab was looked at meanwhile: what was open is open again.
      if (named() === "" && opened !== "") history.replaceState(null, "", `${HASH}/${encodeURIComponent(opened)}`);
      go();
    },
    hidden: () => {
      visible = false;
      detail.close();
    },
    changed: () => {
      if (!visible) return;
      void (opened === "" ? refresh() : detail.refresh());
    },
  };
}
