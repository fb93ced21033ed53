/** Workers, memory, uptime and the like, and the replicas. */
import type { Now } from "../../contract.ts";
import { el, fill, say, table } from "../../dom.ts";
import type { Spans } from "../../figures/points.ts";
import { bytes, count, duration, moment, utc } from "../../format.ts";

/** Write the facts into a list, which keeps its elements. */
export function factsOf(list: HTMLElement, now: Now, { hour }: Spans): void {
  const lost = now.workers_lost === 0 ? "none lost" : `${count(now.workers_lost)} lost and replaced since the start`;
  const facts: [name: string, text: string, kind: string, title: string][] = [
    ["Workers", `${count(now.workers)} of ${count(now.workers_configured)}, ${lost}`, now.workers < now.workers_configured ? "warn" : "", ""],
    ["In progress", `${count(now.in_progress)} of ${count(now.max_in_progress)} requests`, "", "Further ones are refused as OVERLOADED"],
    ["Model runs", `${count(hour.runs)} in the last hour`, "", ""],
    ["Memory", `${bytes(now.memory.workers)} workers, ${bytes(now.memory.keeper)} keeper`, "", ""],
    ["Up for", duration((Date.parse(now.at) - Date.parse(now.started)) / 1e3), "", `Since ${moment(now.started)}, which is ${utc(now.started)}`],
    ["Release", now.release, "", ""],
    ["Environment", now.environment, "", ""],
    ["Not stored yet", `${bytes(now.journal_bytes)} of journals, ${count(now.exposures_waiting)} exposures`, "", "Written to the store when it can be reached"],
  ];
  if (list.children.length === 0) for (const [name] of facts) list.append(el("dt", {}, name), el("dd", {}));
  for (const [index, [, text, kind, title]] of facts.entries()) {
    const place = list.children[2 * index + 1] as HTMLElement;
    say(place, text);
    place.className = kind;
    place.title = title;
  }
}

/** The replicas that share the store. */
export function replicaRows(place: HTMLElement, now: Now): void {
  const key = JSON.stringify(now.replicas);
  if (place.dataset["key"] === key) return;
  place.dataset["key"] = key;
  const newest = Math.max(...now.replicas.map(({ revision }) => revision));
  const rows = now.replicas.map((replica) =>
    el(
      "tr",
      {},
      el("td", {}, replica.name, replica.this ? el("span", { class: "soft" }, " (this)") : null),
      el("td", { class: replica.active_version === now.active_version ? "" : "warn" }, replica.active_version ?? "none"),
      el("td", { class: "number" }, count(replica.revision), replica.revision < newest ? el("span", { class: "warn" }, " behind") : null),
    ),
  );
  const revision = el("th", { scope: "col", class: "number", title: "How many changes of the shared state it has applied" }, "Revision");
  fill(place, table("Replicas", ["Name", "Active version", revision], rows));
}
