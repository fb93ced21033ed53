/** Which answers are shown: by pair, timeframe and signal. */
import type { Signal } from "../../contract.ts";
import { el } from "../../dom.ts";
import { ALL, choices, type Filter } from "../../figures/listed.ts";
import { WORDS } from "../../figures/points.ts";

type Field = keyof Filter;
const NAMES: Record<Field, [label: string, all: string]> = {
  pair: ["Pair", "All pairs"],
  timeframe: ["Timeframe", "All timeframes"],
  signal: ["Signal", "All signals"],
};

/** Three lists to choose from. They offer what has been answered so far. */
export function filters(chosen: (filter: Filter) => void): { element: HTMLElement; draw: (signals: readonly Signal[]) => void } {
  let filter: Filter = ALL;
  const lists = new Map<Field, HTMLSelectElement>();
  const offered = new Map<Field, string>();
  for (const field of ["pair", "timeframe", "signal"] as const) {
    const list = el("select", {
      "aria-label": NAMES[field][0],
      change: () => {
        filter = { ...filter, [field]: list.value };
        chosen(filter);
      },
    });
    lists.set(field, list);
  }
  const offer = (field: Field, values: readonly string[]): void => {
    const kept = filter[field];
    // A value stays while it is chosen, even if its answers have left the list.
    const all = kept === "" || values.includes(kept) ? values : [...values, kept];
    if (offered.get(field) === all.join()) return;
    offered.set(field, all.join());
    const list = lists.get(field) as HTMLSelectElement;
    list.replaceChildren(el("option", { value: "" }, NAMES[field][1]), ...all.map((value) => el("option", { value }, value)));
    list.value = kept;
  };
  return {
    element: el("div", { class: "filters", role: "group", "aria-label": "Shown answers" }, ...lists.values()),
    draw: (signals) => {
      offer("pair", choices(signals, "pair"));
      offer("timeframe", choices(signals, "timeframe"));
      offer("signal", WORDS);
    },
  };
}
