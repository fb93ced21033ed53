/** Activating and stopping an experiment: what each will do, and doing it. */
import type { Schemas } from "../contract.ts";
import { count } from "../format.ts";
import { reason, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { guardrails } from "./words.ts";

type Experiment = Schemas["Experiment"] | Schemas["Report"];
export type Done = { text: string; failed: boolean; warnings: string[] };

/** What activating will do, a sentence each. */
export function activating(experiment: Experiment, running: Experiment | null, models: Schemas["Models"]): string[] {
  const { variant_a: a, variant_b: b, mode } = experiment;
  const found: string[] = [];
  if (running !== null) found.push(`The running experiment ${running.experiment_id} is stopped. It cannot be resumed.`);
  const unloaded = [a, b].filter((version) => models.versions[version]?.loaded !== true);
  if (unloaded.length > 0) found.push(`${unloaded.join(" and ")} will be loaded first. If that fails, nothing changes.`);
  if (mode === "shadow") {
    found.push(`${a} answers every request that names no version, and ${b} is computed for the same input. Clients see ${a} only.`);
  } else {
    const span = mode === "crossover" ? "for each block of 24 candles" : "for the whole experiment";
    found.push(`Requests with a user and without a version are answered by ${a} or ${b}, by user, ${span}. All others are answered as before.`);
  }
  if (mode === "shadow" && models.active_version !== null && models.active_version !== a) {
    found.push(`That replaces the active ${models.active_version} while the experiment runs.`);
  }
  const [needsA, needsB] = [models.versions[a]?.required_candles, models.versions[b]?.required_candles];
  if (typeof needsA === "number" && typeof needsB === "number" && needsA !== needsB) {
    found.push(`${a} needs ${count(needsA)} candles and ${b} ${count(needsB)}: send at least ${count(Math.max(needsA, needsB))}, or the comparison becomes unfair.`);
  }
  found.push(`Bundles of ${a} and ${b} that have changed are refused until it stops.`);
  const limits = guardrails(experiment.guardrails);
  if (limits.length > 0) found.push(`It stops by itself if a guardrail is crossed with certainty: ${limits.join("; ")}.`);
  return found;
}

/** What stopping will do, a sentence each. */
export function stopping(active: string | null): string[] {
  const found = ["It cannot be resumed. For more data, create a new experiment under a new id."];
  found.push(`From now on ${active === null ? "the active version" : `the active version ${active}`} answers every request that names none.`);
  found.push("Its counts and its report stay. Outcomes that are reported later still count.");
  return found;
}

/** Ask, and then do it. Null where it was not confirmed. */
export async function change(page: Page, action: "activate" | "stop", experiment: Experiment): Promise<Done | null> {
  const id = experiment.experiment_id;
  const path = `/reversal/experiments/${encodeURIComponent(id)}/${action}`;
  try {
    const [models, list] = (await Promise.all([page.api.get("/reversal/models"), page.api.get("/reversal/experiments")])) as [Schemas["Models"], Schemas["Experiments"]];
    const running = list.experiments.find((each) => each.active && each.experiment_id !== id) ?? null;
    const effects = action === "activate" ? activating(experiment, running, models) : stopping(models.active_version);
    const question = action === "activate" ? `Activate ${id}?` : `Stop ${id}?`;
    if (!(await page.confirm(question, effects, action === "activate" ? "Activate" : "Stop it"))) return null;
    const answer = (await page.api.post(path)) as Partial<Schemas["ActivatedExperiment"]>;
    const stopped = typeof answer.stopped_experiment === "string" ? ` ${answer.stopped_experiment} was stopped.` : "";
    const text = action === "activate" ? `${id} is active.${stopped}` : `${id} is stopped.`;
    page.tell(text);
    return { text, failed: false, warnings: (answer.warnings ?? []).map((each) => sentence(each.message)) };
  } catch (error) {
    const text = `${id} could not be ${action === "activate" ? "activated" : "stopped"}: ${sentence(reason(error))}`;
    page.tell(text, "failed");
    return { text, failed: true, warnings: [] };
  }
}
