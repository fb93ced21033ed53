/** The versions side by side, with what can be done to them. */
import { Failure } from "../api.ts";
import type { Schemas } from "../contract.ts";
import { card, el, fill, note } from "../dom.ts";
import { redraw } from "../parts/redraw.ts";
import { adminNeeded, folded, reason, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { CONFIRMS, done, effects, forbidden, type Action, type Situation } from "./actions.ts";
import type { Model } from "./facts.ts";
import { groups } from "./rows.ts";

const NARROW = "(max-width: 48rem)";
const LABELS: Record<Action, string> = { switch: "Switch to it", load: "Load", unload: "Unload" };

export type Versions = { element: HTMLElement; refresh: () => Promise<void>; models: () => Schemas["Models"] | null };

/** The part. `changed` is called when other models were seen than before. */
export function versionsPart(page: Page, changed: () => void): Versions {
  const problem = el("div", {});
  const body = el("div", {}, note("loading", "Loading the versions …"));
  const element = card("Versions", problem, body);
  const narrow = matchMedia(NARROW);
  const failures = new Map<string, string>();
  let models: Schemas["Models"] | null = null;
  let running: Schemas["Experiment"] | null = null;
  let drawn = "";
  let busy: { version: string; action: Action } | null = null;

  const all = (): Model[] => Object.values(models?.versions ?? {});
  const situation = (model: Model): Situation => {
    const active = models?.versions[models.active_version ?? ""] ?? null;
    return { model, active, running, replica: page.live.replica };
  };

  async function refresh(): Promise<void> {
    try {
      const [found, list] = await Promise.all([page.api.get("/reversal/models"), page.api.get("/reversal/experiments")]);
      models = found as Schemas["Models"];
      running = (list as Schemas["Experiments"]).experiments.find((each) => each.active) ?? null;
      fill(problem);
    } catch (error) {
      const again = el("button", { type: "button", click: () => void refresh() }, "Try again");
      fill(problem, note("error", `The versions cannot be read: ${sentence(reason(error))} `, again));
      if (models === null) fill(body);
      return;
    }
    const now = JSON.stringify([models, running]);
    if (now === drawn) return;
    drawn = now;
    draw();
    changed();
  }

  async function act(action: Action, model: Model): Promise<void> {
    const { version } = model;
    if (!(await page.confirm(`${CONFIRMS[action](version)}?`, effects(action, situation(model)), CONFIRMS[action](version)))) return;
    busy = { version, action };
    failures.delete(version);
    draw();
    try {
      await page.api.post(`/reversal/models/${encodeURIComponent(version)}/${action}`);
      page.tell(done(action, version));
    } catch (error) {
      // That the server could not be reached is of this moment, and not of the version.
      if (error instanceof Failure && error.status > 0) failures.set(version, sentence(reason(error)));
      page.tell(`${version}: ${sentence(reason(error))}`, "failed");
    }
    busy = null;
    draw();
    await refresh();
    // The button that was pressed may be gone: the keyboard goes on at its neighbour.
    if (document.activeElement === document.body) {
      body.querySelector<HTMLElement>(`[data-version="${CSS.escape(version)}"] button:not(:disabled)`)?.focus();
    }
  }

  function buttons(model: Model): HTMLElement {
    const looks = page.session().level !== "admin";
    const actions: Action[] = model.version === models?.active_version ? ["load"] : model.loaded ? ["switch", "unload", "load"] : ["load", "switch"];
    const why: string[] = [];
    const made = actions.map((action) => {
      const not = forbidden(action, situation(model));
      if (not !== null) why.push(not);
      const label = action === "load" && model.loaded ? "Load again" : LABELS[action];
      const working = busy?.version === model.version && busy.action === action;
      return el(
        "button",
        { type: "button", "data-key": `${action}-${model.version}`, disabled: looks || not !== null || busy !== null, "aria-label": `${label}: ${model.version}`, click: () => void act(action, model) },
        working ? "Working …" : label,
      );
    });
    const failure = failures.get(model.version);
    return el(
      "div",
      {},
      el("div", { class: "actions", "data-version": model.version }, ...made),
      ...(looks ? [] : why.map((text) => el("p", { class: "soft small" }, text))),
      failure === undefined ? null : note("error", failure),
    );
  }

  function title(model: Model): HTMLElement[] {
    const isActive = model.version === models?.active_version;
    const state = model.loaded ? el("span", { class: "badge" }, "loaded") : el("span", { class: model.error === undefined ? "badge soft" : "badge bad" }, "not loaded");
    const parts = [
      el("div", { class: "version-title" }, el("span", { class: "version-name" }, model.version), isActive ? el("span", { class: "badge good" }, "active") : state),
      el("div", { class: "soft" }, model.name ?? "no readable manifest"),
    ];
    if (!model.loaded && model.error !== undefined) parts.push(el("p", { class: "bad small" }, sentence(model.error)));
    return parts;
  }

  function draw(): void {
    if (models === null) return;
    const looks = page.session().level !== "admin" ? note("empty", adminNeeded(page.session(), "load, switch or unload")) : null;
    if (all().length === 0) {
      redraw(body, note("empty", "There are no versions. Convert a model into the models folder, then load it: docs/convert.md."));
      return;
    }
    const why = el(
      "p",
      { class: "soft small" },
      "Each version was measured on its own data and label rule: compare a score with its baseline, and not with another version's score.",
    );
    redraw(body, looks, narrow.matches ? asCards() : asTable(), why);
  }

  function asTable(): HTMLElement {
    const head = el(
      "tr",
      {},
      el("td", {}),
      ...all().map((model) => el("th", { scope: "col", class: model.version === models?.active_version ? "active-column" : "" }, ...title(model), buttons(model))),
    );
    const bodies = groups(page).map((group) =>
      el(
        "tbody",
        {},
        el("tr", { class: "group" }, el("th", { scope: "rowgroup", colspan: all().length + 1 }, group.name)),
        ...group.rows.map((row) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, row.name, row.help === undefined ? null : el("span", { class: "help" }, row.help)),
            ...all().map((model) => el("td", { class: model.version === models?.active_version ? "active-column" : "" }, row.cell(model))),
          ),
        ),
      ),
    );
    const table = el("table", { class: "versions" }, el("caption", { class: "hidden" }, "Versions side by side"), el("thead", {}, head), ...bodies);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Versions side by side" }, table);
  }

  function asCards(): HTMLElement {
    const cards = all().map((model) => {
      const shown = groups(page).flatMap((group) => [
        el("h3", {}, group.name),
        el("dl", { class: "facts" }, ...group.rows.flatMap((row) => [el("dt", {}, row.name), el("dd", {}, row.cell(model))])),
      ]);
      const all = folded(`facts-${model.version}`, "All facts", ...shown);
      all.open = model.version === models?.active_version;
      return el("article", { class: "version-card", "aria-label": model.version }, ...title(model), buttons(model), all);
    });
    return el("div", {}, ...cards);
  }

  narrow.addEventListener("change", draw);
  return { element, refresh, models: () => models };
}
