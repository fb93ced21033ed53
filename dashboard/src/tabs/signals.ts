/** The tab "Signals": what the server answers, as it answers. */
import { el, note } from "../dom.ts";
import { ALL } from "../figures/listed.ts";
import { drawing } from "./drawing.ts";
import { filters } from "./signals/filters.ts";
import { mixCard } from "./signals/mix.ts";
import { signalTable } from "./signals/table.ts";
import { windowCard } from "./signals/window.ts";
import { staleNote } from "./stale.ts";
import type { Page, Tab } from "./tab.ts";

export function signalsTab(page: Page): Tab {
  const { live } = page;
  let filter = ALL;
  const waiting = note("loading", "Waiting for the first answers of the server …");
  const stale = staleNote(live);
  const mix = mixCard();
  const place = windowCard(page);
  const list = signalTable(live, { kept: () => page.session().windows_kept, show: (signal) => place.show(signal) });
  const choice = filters((chosen) => {
    filter = chosen;
    drawn.soon();
  });
  list.head.append(choice.element);
  const body = el("div", { hidden: true }, el("div", { class: "signals-top" }, place.element, mix.element, place.why), list.element);
  const drawn = drawing(live, () => {
    waiting.hidden = live.now !== null;
    body.hidden = live.now === null;
    if (live.now === null) return;
    stale.draw();
    choice.draw(live.signals);
    list.draw(filter);
    mix.draw(live, filter);
    place.draw();
  });
  return {
    id: "signals",
    title: "Signals",
    panel: el("section", {}, waiting, stale.element, body),
    shown: () => {
      drawn.shown();
      place.shown();
    },
    hidden: drawn.hidden,
  };
}
