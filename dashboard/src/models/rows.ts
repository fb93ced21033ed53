/** The facts that the comparison of versions shows: a name and a cell for each version. */
import type { Page } from "../tabs/tab.ts";
import { el } from "../dom.ts";
import { count } from "../format.ts";
import { facts, folded } from "../parts/shown.ts";
import { labelRule, mainScores, notFor, parity, scores, training, words, type MainScore, type Model } from "./facts.ts";

export type Row = { name: string; help?: string; cell: (model: Model) => Node | string };
export type Group = { name: string; rows: Row[] };

const NOTHING = "–";
type Stage = NonNullable<Model["stages"]>["stage1"];
const stages = (model: Model): [string, Stage][] =>
  Object.entries(model.stages ?? {}).map(([name, stage]) => [name === "stage1" ? "Stage 1" : "Stage 2", stage]);

const lines = (found: (Node | string)[]): Node | string =>
  found.length === 0 ? NOTHING : el("ul", { class: "plain-list" }, ...found.map((each) => el("li", {}, each)));

const number = (value: number | null | undefined): string => (value === null || value === undefined ? NOTHING : count(value));

function features(model: Model): Node | string {
  if (model.stages === undefined) return NOTHING;
  const parts = stages(model).map(([name, stage]) => `${name} ${count(stage.num_features)}`);
  const named = stages(model).map(([name, stage]) => [name, el("span", { class: "names" }, stage.features.join(", "))] as const);
  return folded(`features-${model.version}`, parts.join(" · "), facts(named));
}

function scoreCell(model: Model, stage: "stage1" | "stage2"): Node | string {
  const metrics = model.metrics?.[stage];
  const main = mainScores(metrics);
  const first = main[0];
  if (first === undefined) return NOTHING;
  const rest = scores(metrics);
  const all = facts(rest.map((each) => [each.path.map(words).join(", "), each.value + (each.interval === null ? "" : ` [${each.interval}]`)] as const), "figures");
  const others = new Set(main.map((each) => each.on)).size > 1 ? ", other years too" : "";
  return el("div", {}, scoreTable(model, stage, main.filter((each) => each.on === first.on)), folded(`scores-${stage}-${model.version}`, `All ${count(rest.length)} figures${others}`, all));
}

function scoreTable(model: Model, stage: string, shown: MainScore[]): HTMLElement {
  const on = shown[0]?.on ?? "";
  const head = ["Score", on, "95 % interval", "baseline"].map((name, at) => el("th", { scope: "col", class: at === 0 ? "" : "number" }, at === 0 ? el("span", { class: "hidden" }, name) : name));
  const rows = shown.map(({ name, score, baseline }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", { class: "number" }, el("strong", {}, score.value)),
      el("td", { class: "number soft" }, score.interval ?? "no interval"),
      el("td", { class: "number soft" }, baseline ?? NOTHING),
    ),
  );
  const caption = `${model.version}, ${stage === "stage1" ? "Stage 1" : "Stage 2"}, measured on ${on}`;
  return el("table", { class: "scores" }, el("caption", { class: "hidden" }, caption), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

function digest(model: Model, page: Page): Node | string {
  const { digest: whole } = model;
  if (whole === null) return NOTHING;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(whole);
      page.tell(`The digest of ${model.version} is copied.`);
    } catch {
      page.tell(`The browser does not let this page copy. The digest: ${whole}`, "failed");
    }
  };
  return el(
    "span",
    {},
    el("code", { title: whole }, whole.slice(0, 12)),
    " ",
    el("button", { type: "button", class: "plain", "data-key": `copy-${model.version}`, "aria-label": `Copy the digest of ${model.version}`, click: () => void copy() }, "Copy"),
  );
}

function replicas(model: Model): Node | string {
  const differ = new Set(model.replicas.map((each) => each.digest)).size > 1;
  return lines(
    model.replicas.map((each) => {
      const state = each.loaded ? el("span", { class: "good" }, "loaded") : el("span", { class: each.error === null ? "soft" : "bad" }, "not loaded");
      const more = each.error === null ? "" : `: ${each.error}`;
      const bundle = differ && each.digest !== null ? el("code", { title: each.digest }, ` ${each.digest.slice(0, 8)}`) : null;
      return el("span", {}, `${each.name} `, state, bundle, more);
    }),
  );
}

function card(model: Model): Node | string {
  const found = Object.entries(model.metadata ?? {}).map(([name, metadata]) => [words(name).replace("stage", "Stage "), training(metadata)] as const);
  const alike = found.length > 1 && new Set(found.map(([, list]) => list.join("\n"))).size === 1;
  const on = (alike ? [["Both stages", found[0]?.[1] ?? []] as const] : found).map(([name, list]) => [`${name} ${alike ? "were" : "was"} trained on`, lines(list)] as const);
  const not = notFor(model);
  return folded(
    `card-${model.version}`,
    "Training data, and what it is not for",
    ...on.flatMap(([name, list]) => [el("h3", { class: "minor" }, name), list]),
    el("h3", { class: "minor" }, "Not for"),
    lines(not),
  );
}

function stage2(model: Model): string {
  if (model.has_stage2 === undefined) return NOTHING;
  if (model.has_stage2) return "yes, it names the direction";
  return model.classes === null || model.classes === undefined ? "no: every alarm is hold" : `no: one stage answers ${model.classes.join(", ")}`;
}

/** The rows, in the order in which they are read. */
export function groups(page: Page): Group[] {
  return [
    {
      name: "What it is",
      rows: [
        { name: "Description", cell: (model) => el("span", { class: "prose" }, model.description ?? NOTHING) },
        { name: "Model card", cell: card },
        { name: "Label rule", help: "What an alarm should mean", cell: (model) => labelRule(model.label_rule).join(" · ") || NOTHING },
      ],
    },
    {
      name: "How it decides",
      rows: [
        { name: "Threshold", help: "An alarm is a Stage 1 output of at least this", cell: (model) => (model.threshold === undefined ? NOTHING : el("strong", {}, String(model.threshold))) },
        { name: "Stage 2", cell: stage2 },
        { name: "Features", cell: features },
        { name: "Window", help: "Candles that each stage sees", cell: (model) => lines(stages(model).map(([name, stage]) => `${name}: ${count(stage.sequence_length)}`)) },
      ],
    },
    {
      name: "What it needs",
      rows: [
        { name: "Required candles", cell: (model) => (model.inputs === "features" ? "takes features only" : number(model.required_candles)) },
        { name: "Recommended candles", help: "From here on answers stay the same", cell: (model) => number(model.recommended_candles) },
        { name: "Timestamps", cell: (model) => (model.requires_timestamps === undefined ? NOTHING : model.requires_timestamps ? "needed" : "not needed") },
      ],
    },
    {
      name: "Proof",
      rows: [
        { name: "Parity", help: "With the trained model: Keras, or the library that it was made with", cell: (model) => lines(stages(model).map(([name, stage]) => `${name} ${parity(stage) ?? "has no figures"}`)) },
        { name: "Scores of Stage 1", help: "The baseline has no skill: chance, the base rate, or the larger class", cell: (model) => scoreCell(model, "stage1") },
        { name: "Scores of Stage 2", cell: (model) => scoreCell(model, "stage2") },
      ],
    },
    {
      name: "Where it is",
      rows: [
        { name: "Bundle", help: "SHA-256 of the manifest", cell: (model) => digest(model, page) },
        { name: "Replicas", cell: replicas },
      ],
    },
  ];
}
