/** The form that creates an experiment. */
import { Failure } from "../api.ts";
import type { Schemas } from "../contract.ts";
import { card, el, fill, note } from "../dom.ts";
import { failAt, field, offer, type Choice, type Field } from "../parts/field.ts";
import { adminNeeded, reason, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { body, idOf, placed } from "./fields.ts";

export const MODE_CHOICES: Choice[] = [
  ["split", "split: each user gets one version"],
  ["crossover", "crossover: each user gets both in turns"],
  ["shadow", "shadow: A answers, B is computed beside it"],
];
export const METRIC_CHOICES: Choice[] = [
  ["win_rate", "win rate"],
  ["mean_pnl", "mean P&L in pips"],
];
const LIMITS: [string, string, string][] = [
  ["max_error_rate", "Largest error rate", "Failures and refusals among a variant's requests, 0 to 1."],
  ["max_fallback_rate", "Largest fallback rate", "Requests that another version answered, 0 to 1."],
  ["max_p99_ms", "Slowest 1 %, ms", "The time within the service that 99 % of the answers do not exceed."],
  ["min_hold_rate", "Smallest share of hold", "Of the candles, 0 to 1."],
  ["max_hold_rate", "Largest share of hold", "Of the candles, 0 to 1."],
  ["min_win_rate", "Smallest win rate", "Of either variant, 0 to 1."],
  ["min_mean_pnl", "Smallest mean P&L", "Pips per trade of either variant."],
];
const NUMBERS = new Set(["traffic_split", "minimum_effect", ...LIMITS.map(([name]) => `guardrails.${name}`)]);

export type Create = { element: HTMLElement; versions: (found: string[]) => void; use: (values: Record<string, string>) => void };

/** The form. `created` gets the new experiment. */
export function createForm(page: Page, created: (experiment: Schemas["Experiment"]) => void): Create {
  const make = (name: string, label: string, options: Parameters<typeof field>[3] = {}): Field => field("create", name, label, options);
  const name = make("name", "Name", { required: true, help: "One line for people.", wide: true });
  const id = make("experiment_id", "Id", { required: true, help: "Letters, digits and _ . -, up to 64. It can never be used again: the assignment of users depends on it.", wide: true });
  const a = make("variant_a", "Variant A", { required: true, choices: [], help: "What is used today." });
  const b = make("variant_b", "Variant B", { required: true, choices: [], help: "What may be better." });
  const mode = make("mode", "Mode", { required: true, choices: MODE_CHOICES, value: "split", help: "Shadow needs the fewest candles; only split and crossover show what users do with B's signals.", wide: true });
  const split = make("traffic_split", "A's share of the users", { kind: "number", value: "0.5", help: "0.5 is half of them." });
  const metric = make("metric", "Metric", { required: true, choices: METRIC_CHOICES, value: "win_rate", help: "What the verdict is about." });
  const effect = make("minimum_effect", "Smallest difference of interest", { kind: "number", help: "0.02 is two percentage points of win rate; pips for mean P&L. Default: 0.02, or 0.5 pips." });
  const stop = make("stop_at", "Stop at", { kind: "time", help: "In your time zone. Without it, it runs until it is stopped." });
  const owner = make("owner", "Owner", { help: "The person or team to ask about it." });
  const description = make("description", "Description", { kind: "lines", help: "What it is to find out.", wide: true });
  const limits = LIMITS.map(([limit, label, help]) => make(`guardrails.${limit}`, label, { kind: "number", help }));
  const fields = [name, id, a, b, mode, split, metric, effect, stop, owner, description, ...limits];
  const button = el("button", { type: "submit", class: "main" }, "Create");
  const allowed = el("div", {});
  const trouble = el("div", { role: "alert", class: "field-error" });

  const suit = (): void => {
    split.element.hidden = mode.input.value === "shadow";
  };
  let ownId = false;
  name.input.addEventListener("input", () => {
    if (!ownId) id.input.value = idOf(name.input.value);
  });
  id.input.addEventListener("input", () => {
    ownId = id.input.value !== "";
  });
  mode.input.addEventListener("change", suit);

  async function create(): Promise<void> {
    const values = new Map(fields.filter((each) => !each.element.hidden).map((each) => [each.name, each.input.value]));
    if (stop.input.value !== "") values.set("stop_at", new Date(stop.input.value).toISOString());
    fill(trouble);
    failAt(fields, new Map());
    button.disabled = true;
    try {
      const experiment = (await page.api.post("/reversal/experiments", body(values, NUMBERS))) as Schemas["Experiment"];
      form.reset();
      ownId = false;
      suit();
      created(experiment);
    } catch (error) {
      const { at, rest } = complaints(error);
      failAt(fields, at);
      fill(trouble, ...(at.size > 0 ? ["It was not created: look at the marked fields. "] : []), rest.map(sentence).join(" "));
    } finally {
      button.disabled = false;
    }
  }

  function complaints(error: unknown): ReturnType<typeof placed> {
    if (!(error instanceof Failure)) return { at: new Map(), rest: [reason(error)] };
    // The only conflict is an id that was used before, which has no path.
    if (error.code === "CONFLICT") return { at: new Map([["experiment_id", error.message]]), rest: [] };
    if (error.details.length === 0) return { at: new Map(), rest: [error.message] };
    return placed(error.details, fields.map((each) => each.name));
  }

  const guard = el("details", { class: "wide" }, el("summary", {}, "Guardrails: limits that stop it by themselves"), el("div", { class: "form-grid" }, ...limits.map((each) => each.element)));
  const form = el(
    "form",
    {
      novalidate: true,
      submit: (event: Event) => {
        event.preventDefault();
        void create();
      },
    },
    allowed,
    el("div", { class: "form-grid" }, ...[name, id, a, b, mode, split, metric, effect, stop, owner, description].map((each) => each.element), guard),
    trouble,
    el("div", { class: "actions" }, button, el("span", { class: "soft small" }, "A draft counts nothing until it is activated. It cannot be edited.")),
  );
  suit();
  return {
    element: card("New experiment", form),
    versions: (found) => {
      // The session is not known yet when the page is built.
      const looks = page.session().level !== "admin";
      button.disabled = looks;
      fill(allowed, looks ? note("empty", adminNeeded(page.session(), "create an experiment")) : null);
      const choices = found.map((version) => [version, version] as const);
      // Today's version and another one to begin with.
      offer(a.input, choices, a.input.value || found[0]);
      offer(b.input, choices, b.input.value || (found[1] ?? found[0]));
    },
    use: (values) => {
      for (const each of fields) {
        const value = values[each.name];
        if (value !== undefined) each.input.value = value;
      }
      suit();
      name.input.focus();
    },
  };
}
