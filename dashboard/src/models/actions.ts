/** Loading, switching and unloading: what each will do, and doing it. */
import type { Schemas } from "../contract.ts";
import { count } from "../format.ts";
import type { Model } from "./facts.ts";

export type Action = "load" | "switch" | "unload";
type Running = Schemas["Experiment"] | null;

/** What an action is about: the version, what answers now, the experiment that runs, and this replica's name. */
export type Situation = { model: Model; active: Model | null; running: Running; replica: string | null };

/** What the button says that confirms an action. */
export const CONFIRMS: Record<Action, (version: string) => string> = {
  load: (version) => `Load ${version}`,
  switch: (version) => `Switch to ${version}`,
  unload: (version) => `Unload ${version}`,
};

const compares = (running: Running, version: string): boolean =>
  running !== null && [running.variant_a, running.variant_b].includes(version);

/** Why an action cannot be chosen, or null. */
export function forbidden(action: Action, { model, active, running }: Situation): string | null {
  const { version } = model;
  const isActive = version === active?.version;
  if (action === "switch" && isActive) return `${version} is active already.`;
  if (action === "unload" && !model.loaded) return `${version} is not loaded.`;
  if (action === "unload" && isActive) return `${version} is active: switch to another version first.`;
  if (action === "unload" && running !== null && compares(running, version)) {
    return `The running experiment ${running.experiment_id} compares ${version}: stop it first.`;
  }
  return null;
}

/** Where a change happens: this server, and others on the same store. */
function places({ model, replica }: Situation): string {
  const others = model.replicas.map((each) => each.name).filter((name) => name !== replica && name !== model.replicas[0]?.name);
  const here = `all workers of ${replica ?? model.replicas[0]?.name ?? "this server"}`;
  return others.length === 0 ? here : `${here}, and the ${others.length === 1 ? "other replica" : "other replicas"} ${others.join(", ")}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What an action will do, a sentence each. */
export function effects(action: Action, situation: Situation): string[] {
  return { load: loading, switch: switching, unload: unloading }[action](situation);
}

function loading(situation: Situation): string[] {
  const { model, running } = situation;
  const { version } = model;
  const found = model.loaded
    ? [`The bundle of ${version} is read again from the models folder. If it has changed, it replaces the one in memory; until then that one answers.`]
    : [`${version} is read from the models folder by ${places(situation)}, and takes memory there.`];
  found.push("A bundle that is refused changes nothing: you see the file and the reason.");
  if (compares(running, version)) found.push(`The experiment ${running?.experiment_id} compares ${version}: a bundle that has changed is refused until it is stopped.`);
  else if (!model.loaded) found.push(`Requests that name ${version} are answered again. The active version stays.`);
  return found;
}

function switching(situation: Situation): string[] {
  const { model, active, running } = situation;
  const { version } = model;
  const found: string[] = [];
  const when = model.loaded ? "once it is warm" : "once it is loaded and warm";
  const until = active === null ? "" : ` Until then ${active.version} keeps answering.`;
  found.push(`${capital(places(situation))} answer with ${version} ${when}.${until}`);
  if (running?.mode === "shadow") {
    found.push(`The shadow experiment ${running.experiment_id} is running: its A, ${running.variant_a}, answers every request that names no version. Clients see the switch only when it stops.`);
  } else if (running !== null) {
    found.push(`The experiment ${running.experiment_id} keeps deciding by user: requests with a user are answered by ${running.variant_a} or ${running.variant_b}.`);
  }
  const [before, after] = [active?.required_candles ?? null, model.required_candles ?? null];
  if (after !== null && before !== null && after > before) {
    found.push(`It needs ${count(after)} candles, and ${active?.version} needs ${count(before)}: requests with fewer are then refused with 422.`);
  }
  if (model.inputs === "features" && active?.inputs === "candles") found.push("It takes features only: requests with candles are then refused with 422.");
  if (model.requires_timestamps === true && active?.requires_timestamps === false) {
    found.push("It needs timestamps: requests with candles that have none are then refused with 422.");
  }
  if (active?.threshold !== undefined && model.threshold !== undefined && active.threshold !== model.threshold) {
    found.push(`The threshold of an alarm changes from ${active.threshold} to ${model.threshold}, so the share of signals changes as well.`);
  }
  found.push("The switch survives a restart. If a worker or a replica cannot serve the version, nothing changes.");
  return found;
}

function unloading(situation: Situation): string[] {
  const { version } = situation.model;
  return [
    `Its memory is freed in ${places(situation)}.`,
    `A request that names ${version} is then answered with 503 MODEL_UNAVAILABLE.`,
    `It no longer stands in when another version fails, and comparisons of all loaded versions leave it out.`,
    "It stays unloaded, also after a restart, until you load it.",
  ];
}

const PLACE: Record<Action, string> = { load: "loaded", switch: "active now", unload: "unloaded" };

/** What to tell after an action that succeeded. */
export function done(action: Action, version: string): string {
  return `${version} is ${PLACE[action]}.`;
}
