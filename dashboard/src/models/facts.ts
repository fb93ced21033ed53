/** What a version's manifest says, put into words and numbers. */
import type { Schemas } from "../contract.ts";
import { count, fixed, significant } from "../format.ts";

export type Model = Schemas["Model"];
type Tree = { [key: string]: unknown };

/** One figure of a version. `interval` is null where the manifest has none. */
export type Score = { path: string[]; value: string; interval: string | null };

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);
const numbers = (value: unknown): value is number[] => Array.isArray(value) && value.every((each) => typeof each === "number");
const isTriple = (value: unknown): value is [number, number, number] =>
  numbers(value) && value.length === 3 && (value[1] as number) <= (value[0] as number) && (value[0] as number) <= (value[2] as number);

const figure = (value: number): string => (Number.isInteger(value) ? count(value) : fixed(value, 3));

/** A very small number: 3.6 × 10⁻⁷. */
export function tiny(value: number): string {
  if (value === 0) return "0";
  const [digits, exponent] = value.toExponential(1).split("e") as [string, string];
  const raised = [...String(Number(exponent))].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
  return `${digits === "1.0" ? "" : `${digits} × `}10${raised}`;
}

/** All figures of a tree of scores, in its order. Three numbers, of which the first lies between the others, are a value
 * and its interval of 95 %. Longer lists are curves, which are left out. */
export function scores(tree: unknown, path: string[] = []): Score[] {
  if (typeof tree === "number") return [{ path, value: figure(tree), interval: null }];
  if (typeof tree === "string") return [{ path, value: tree, interval: null }];
  if (isTriple(tree)) {
    return [{ path, value: fixed(tree[0], 3), interval: `${fixed(tree[1], 3)} to ${fixed(tree[2], 3)}` }];
  }
  if (Array.isArray(tree)) return tree.every((each) => typeof each === "string") ? [{ path, value: tree.join(", "), interval: null }] : [];
  if (!isTree(tree)) return [];
  return Object.entries(tree).flatMap(([name, value]) => scores(value, [...path, name]));
}

const MAIN: Record<string, string> = {
  auc: "AUC",
  precision: "Precision",
  recall: "Recall",
  share_of_right_directions: "Right directions",
  accuracy: "Accuracy",
};
const BASELINES: Record<string, string[]> = {
  precision: ["base_rate"],
  share_of_right_directions: ["share_of_the_larger_class"],
  accuracy: ["baseline_accuracy"],
};

export type MainScore = { name: string; on: string; score: Score; baseline: string | null };

/** The scores to read first of one stage, each with the part of the data it was measured on and what costs nothing. */
export function mainScores(metrics: unknown): MainScore[] {
  if (!isTree(metrics)) return [];
  const years = Object.keys(metrics).filter((name) => /^\d{4}$/.test(name)).sort().reverse();
  const parts: [string, unknown][] = years.length > 0 ? years.map((year) => [year, metrics[year]]) : [["its test part", metrics]];
  return parts.flatMap(([on, part]) => {
    const found = scores(part).filter((score) => score.path.length === 1 || score.path[0] === "threshold");
    const named = (name: string): Score | undefined => found.find((score) => score.path.at(-1) === name);
    const positives = named("test_positives");
    const windows = named("test_windows");
    return Object.entries(MAIN).flatMap(([key, name]) => {
      const score = named(key);
      if (score === undefined) return [];
      const base = (BASELINES[key] ?? []).map(named).find((each) => each !== undefined)?.value;
      const share =
        key === "precision" && positives !== undefined && windows !== undefined
          ? fixed(Number(positives.value.replaceAll(",", "")) / Number(windows.value.replaceAll(",", "")), 3)
          : undefined;
      return [{ name, on, score, baseline: base ?? share ?? (key === "auc" ? "0.500" : null) }];
    });
  });
}

/** How far the converted stage is from the one that was trained, in words. */
export function parity(stage: Schemas["Stage"] | undefined): string | null {
  const { max_difference: difference, tolerance, windows } = stage?.parity ?? {};
  if (typeof difference !== "number") return null;
  const limit = typeof tolerance === "number" ? `, allowed ${tiny(tolerance)}` : "";
  const on = typeof windows === "number" ? `, on ${count(windows)} windows` : "";
  return `differs by at most ${tiny(difference)}${limit}${on}`;
}

/** What the labels of Stage 1 mean. */
export function labelRule(rule: unknown): string[] {
  if (!isTree(rule)) return [];
  return Object.entries(rule).map(([name, value]) => `${words(name)}: ${typeof value === "number" ? significant(value, 4) : words(String(value))}`);
}

/** A name of the manifest as words. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

const day = (at: unknown): string => (typeof at === "string" ? at.slice(0, 10) : "?");

/** On which data a stage was trained and measured, a sentence each. */
export function training(metadata: unknown): string[] {
  const on = isTree(metadata) ? metadata["trained_on"] : undefined;
  if (!isTree(on)) return [];
  const files = isTree(on["files"]) ? Object.values(on["files"]) : [];
  const pairs = files.map((file) => (isTree(file) ? String(file["pair"]) : "")).filter((pair) => pair !== "");
  const source = pairs.length > 0 ? pairs.join(", ") : typeof on["file"] === "string" ? on["file"] : "";
  const parts = isTree(on["parts"]) ? Object.entries(on["parts"]) : [];
  const order = ["train", "validation", "test"];
  const spans = parts
    .sort(([one], [other]) => order.indexOf(one) - order.indexOf(other))
    .map(([name, part]) => (isTree(part) ? `${name}: ${day(part["first"])} to ${day(part["last"])}${bars(part["bars"])}` : ""));
  return [source === "" ? "" : `Data: ${source}`, ...spans].filter((text) => text !== "");
}

const bars = (value: unknown): string => (typeof value === "number" ? `, ${count(value)} bars` : "");

/** What a version is not for: what its maker wrote down, and what its own figures do not support. */
export function notFor(model: Model): string[] {
  const found: string[] = [];
  for (const stage of Object.values(model.metadata ?? {})) {
    if (!isTree(stage)) continue;
    for (const name of ["not_for", "limitations", "out_of_scope"]) {
      const text = stage[name];
      found.push(...(typeof text === "string" ? [text] : Array.isArray(text) ? text.map(String) : []));
    }
  }
  const stages = Object.values(model.stages ?? {});
  const timeframe = isTree(model.label_rule) ? model.label_rule["timeframe"] : undefined;
  if (typeof timeframe === "string") found.push(`Other candles than ${timeframe}: its labels were made on these.`);
  if (stages.length > 0 && stages.every((stage) => stage.limits !== null && stage.limits.source === "training")) {
    found.push("Prices and moves far outside its training data: such an answer has the warning OUT_OF_RANGE.");
  }
  const expectancy = scores(model.metrics).filter((score) => score.path.at(-1) === "expectancy_pips").at(-1);
  if (expectancy?.interval?.startsWith("−") === true) {
    found.push(
      `Trading as it is: after costs a signal earned ${expectancy.value} pips in ${words(expectancy.path.at(-2) ?? "its test")}, ` +
        `and the interval of ${expectancy.interval} includes a loss.`,
    );
  } else if (expectancy === undefined) {
    found.push("Trading as it is: no result after costs was measured.");
  }
  return [...new Set(found)];
}
