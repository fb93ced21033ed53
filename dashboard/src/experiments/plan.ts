/** The form that says how long an experiment will take, before it begins. */
import { Failure } from "../api.ts";
import type { Schemas } from "../contract.ts";
import { card, el, fill, table } from "../dom.ts";
import { count, percent } from "../format.ts";
import { failAt, field, type Field } from "../parts/field.ts";
import { heads, reason, row, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { METRIC_CHOICES, MODE_CHOICES } from "./create.ts";
import { body, placed } from "./fields.ts";
import { lasting } from "./words.ts";

const TIMEFRAMES = ["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"];
const DEFAULT_EFFECT: Record<string, number> = { win_rate: 0.02, mean_pnl: 0.5 };

/** The form. `use` gets what the new experiment should have. */
export function planForm(page: Page, use: (values: Record<string, string>) => void): HTMLElement {
  const make = (name: string, label: string, options: Parameters<typeof field>[3] = {}): Field => field("plan", name, label, options);
  const number = { kind: "number" } as const;
  const mode = make("mode", "Mode", { required: true, choices: MODE_CHOICES, value: "shadow", wide: true });
  const metric = make("metric", "Metric", { required: true, choices: METRIC_CHOICES, value: "win_rate" });
  const baseline = make("baseline", "Today's value", { ...number, required: true, value: "0.5", help: "Win rate such as 0.5, or mean pips." });
  const effect = make("effect", "Difference to see", { ...number, required: true, value: "0.05", help: "B − A in the same unit. Take the smallest that matters." });
  const sd = make("sd_pips", "Spread of a trade, pips", { ...number, required: true, value: "20", help: "The standard deviation of its result." });
  const daily = make("predictions_per_day", "Predictions a day", { ...number, required: true, value: "24", help: "Of all users and pairs together." });
  const trades = make("trade_share", "Share of trades", { ...number, value: "0.5", help: "Of the predictions; the others are hold." });
  const users = make("users", "Users", { ...number, required: true, value: "200" });
  const split = make("traffic_split", "A's share of the users", { ...number, value: "0.5" });
  const spread = make("user_sd", "Spread between users", { ...number, help: "The standard deviation of their own win rates, or pips." });
  const pairs = make("pairs", "Pairs", { ...number, value: "1" });
  const timeframe = make("timeframe", "Timeframe", { required: true, choices: TIMEFRAMES.map((each) => [each, each] as const), value: "1h" });
  const days = make("days", "Days you can wait", { ...number, value: "30" });
  const differ = make("disagreement", "Share of candles with other signals", { ...number, help: "Only these tell. Default: 0.6 times the share of trades." });
  const overlap = make("overlap", "Candles that count as one", { ...number, help: "More than 1 if trades overlap: 4 to 9 with labels over 10 candles." });
  const fields = [mode, metric, baseline, effect, sd, daily, trades, users, split, spread, pairs, timeframe, days, differ, overlap];
  const numbers = new Set(fields.map((each) => each.name).filter((name) => !["mode", "metric", "timeframe"].includes(name)));
  const trouble = el("div", { role: "alert", class: "field-error" });
  const answer = el("div", { "aria-live": "polite", class: "answer" });
  const button = el("button", { type: "submit", class: "main" }, "How long?");

  const suit = (): void => {
    const shadow = mode.input.value === "shadow";
    for (const each of [users, split, spread]) each.element.hidden = shadow;
    differ.element.hidden = !shadow;
    sd.element.hidden = metric.input.value !== "mean_pnl";
  };
  for (const each of [mode, metric]) each.input.addEventListener("change", suit);
  suit();

  async function plan(): Promise<void> {
    const values = new Map(fields.filter((each) => !each.element.hidden).map((each) => [each.name, each.input.value]));
    fill(trouble);
    failAt(fields, new Map());
    button.disabled = true;
    try {
      const found = (await page.api.post("/reversal/experiments/plan", body(values, numbers))) as Schemas["Plan"];
      fill(answer, ...shown(found), el("div", { class: "actions" }, el("button", { type: "button", click: () => use(taken(found)) }, "Use this plan")));
    } catch (error) {
      fill(answer);
      const { at, rest } = error instanceof Failure && error.details.length > 0 ? placed(error.details, fields.map((each) => each.name)) : { at: new Map<string, string>(), rest: [reason(error)] };
      failAt(fields, at);
      fill(trouble, rest.map(sentence).join(" "));
    } finally {
      button.disabled = false;
    }
  }

  /** What of a plan belongs into the new experiment. */
  function taken(found: Schemas["Plan"]): Record<string, string> {
    const size = Math.abs(found.effect);
    const taken: Record<string, string> = { mode: found.mode, metric: found.metric };
    if (found.mode !== "shadow") taken["traffic_split"] = split.input.value;
    // With a smallest difference of interest as large as the effect, the verdict could be that there is none.
    if (size <= (DEFAULT_EFFECT[found.metric] ?? 0)) taken["minimum_effect"] = String(Number((size / 2).toPrecision(6)));
    return taken;
  }

  const form = el(
    "form",
    {
      novalidate: true,
      submit: (event: Event) => {
        event.preventDefault();
        void plan();
      },
    },
    el("p", { class: "soft" }, "Nothing is stored. Half the difference takes four times as long."),
    el("div", { class: "form-grid" }, ...fields.slice(0, -2).map((each) => each.element), el("details", { class: "wide" }, el("summary", {}, "More"), el("div", { class: "form-grid" }, differ.element, overlap.element))),
    trouble,
    el("div", { class: "actions" }, button),
  );
  return card("How long will it take?", form, answer);
}

function shown(plan: Schemas["Plan"]): HTMLElement[] {
  const likely = plan.reachable.find((each) => each.chance >= 0.8) ?? plan.reachable.at(-1);
  const sentences =
    likely?.days === null || likely === undefined
      ? "However long it runs, this difference is not likely to be seen."
      : `About ${lasting(likely.days)} for a chance of ${percent(likely.chance, 0)} to see the difference.`;
  const found: HTMLElement[] = [el("p", { class: "verdict-sentence" }, sentences)];
  if (plan.after_days !== null) {
    found.push(el("p", {}, `After ${lasting(plan.after_days.days)} the chance is ${percent(plan.after_days.chance, 0)}, from ${count(plan.after_days.candles)} candle times.`));
  }
  const cell = (value: number | null, text: (value: number) => string): string => (value === null ? "never" : text(value));
  const rows = plan.reachable.map((each) => row(percent(each.chance, 0), [cell(each.candles, count), cell(each.days, lasting)]));
  if (plan.minimum.candles !== null) rows.push(row("no verdict before", [count(plan.minimum.candles), cell(plan.minimum.days, lasting)]));
  found.push(table("Chance to see the difference", heads("Chance", "Candle times", "Time"), rows));
  if (plan.users !== null) found.push(el("p", { class: "soft small" }, `Users: ${count(plan.users.A)} with A, ${count(plan.users.B)} with B.`));
  if (plan.advice.length > 0) found.push(el("ul", { class: "warnings" }, ...plan.advice.map((each) => el("li", { class: "warn" }, sentence(each.message)))));
  found.push(el("details", {}, el("summary", {}, "What these numbers rest on"), el("ul", {}, ...plan.assumptions.map((each) => el("li", { class: "small" }, sentence(each))))));
  return found;
}
