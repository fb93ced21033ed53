/** The last posted window of a pair and a timeframe: its candles, its signal, and why. */
import { CandleChart } from "../../charts/candles.ts";
import type { KeptWindow, Signal } from "../../contract.ts";
import { el, fill, note, say } from "../../dom.ts";
import { clock, probability, utc } from "../../format.ts";
import type { Page } from "../tab.ts";
import { type Shown, whyCard } from "./why.ts";

// A place that is answered many times a second is not asked for each time.
const AGAIN_MS = 5000;

type Place = KeptWindow["places"][number];
type WindowCard = { element: HTMLElement; why: HTMLElement; shown: () => void; draw: () => void; show: (signal: Signal) => void };

const nameOf = ({ pair, timeframe }: Pick<Place, "pair" | "timeframe">): string => `${pair} ${timeframe}`;

export function windowCard(page: Page): WindowCard {
  let places: Place[] = [];
  let chosen: Pick<Place, "pair" | "timeframe"> | null = null;
  let shown: Shown | null = null;
  let asked = 0;
  let running = false;
  const picker = el("select", { "aria-label": "Pair and timeframe of the window", change: () => choose(places[picker.selectedIndex] ?? null) });
  const follow = el("input", { type: "checkbox", id: "follow-window", checked: true });
  const followed = el("label", { class: "inline", for: "follow-window", title: "Show each newer window of this pair and timeframe" }, follow, " Follow");
  const told = el("p", { class: "window-told" });
  const trouble = el("div", {});
  const chart = new CandleChart();
  const view = el("div", { hidden: true }, told, chart.element);
  const why = whyCard(page.api, () => {
    follow.checked = false;
  });
  const head = el("div", { class: "list-head" }, el("h2", {}, "Last window"), picker, followed);
  const element = el("section", { class: "card", "aria-label": "Last window" }, head, trouble, view);
  picker.hidden = followed.hidden = true;
  why.element.hidden = true;

  const choose = (place: Pick<Place, "pair" | "timeframe"> | null): void => {
    chosen = place;
    follow.checked = true;
    void load();
  };

  /** `newer`: not asked for, because the window may have been followed by another one. */
  const load = async (newer = false): Promise<void> => {
    if (running) return;
    running = true;
    asked = performance.now();
    const wanted = chosen;
    if (shown === null) fill(trouble, note("loading", "Asking for the last window …"));
    try {
      const query = wanted === null ? "" : `?${new URLSearchParams(wanted).toString()}`;
      const answer = (await page.api.get(`/dashboard/window${query}`)) as KeptWindow;
      fill(trouble);
      // Following can have ended while the server answered.
      if (!newer || follow.checked) received(answer);
    } catch (error) {
      fill(trouble, note("error", `The window cannot be shown: ${(error as Error).message} `, el("button", { type: "button", click: () => void load() }, "Try again")));
    } finally {
      running = false;
    }
    // The choice was changed meanwhile, or the first answer had only the list to choose from.
    if (chosen !== null && (wanted === null || nameOf(chosen) !== nameOf(wanted))) await load();
  };

  const received = (answer: KeptWindow): void => {
    if (!answer.kept) {
      off();
      return;
    }
    places = [...answer.places].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
    if (chosen === null || answer.window === null) {
      const first = answer.places.reduce<Place | null>((newest, each) => (newest === null || each.at > newest.at ? each : newest), null);
      if (first === null) fill(trouble, note("empty", "No window has been posted since the server started. The next prediction from candles appears here."));
      // A window that is gone has left its place to others.
      if (first !== null) chosen = { pair: first.pair, timeframe: first.timeframe };
    }
    offer();
    if (answer.window !== null) present(answer.window);
  };

  const offer = (): void => {
    const names = places.map(nameOf);
    picker.hidden = followed.hidden = names.length === 0;
    if (picker.dataset["names"] !== names.join()) {
      picker.dataset["names"] = names.join();
      fill(picker, ...names.map((name) => el("option", {}, name)));
    }
    picker.selectedIndex = chosen === null ? -1 : names.indexOf(nameOf(chosen));
  };

  const present = (found: Shown): void => {
    const before = shown;
    shown = found;
    view.hidden = why.element.hidden = false;
    if (before !== null && before.at === found.at && nameOf(before) === nameOf(found)) return;
    const { signal } = found;
    fill(
      told,
      el("strong", { class: signal.signal }, signal.signal),
      ` with confidence ${probability(signal.confidence)} by ${signal.version}, `,
      el("time", { datetime: found.at, title: utc(found.at) }, clock(found.at)),
      `, from ${found.data.length} candles`,
    );
    const other = before === null || nameOf(before) !== nameOf(found);
    chart.draw(found.data, signal, other, `Candles of ${nameOf(found)}: the signal ${signal.signal} with confidence ${probability(signal.confidence)} is marked on the last one`);
    why.draw(found);
  };

  const off = (): void => {
    element.classList.add("small-card");
    fill(
      trouble,
      note("empty", "The server does not keep the candles that it is sent. To see them here with the signal, and why it was given, the operator starts it with ", el("code", {}, "REVERSAL_KEEP_WINDOWS=1"), ". It then keeps the last window of each pair and timeframe, in memory only."),
    );
  };

  return {
    element,
    why: why.element,
    shown: () => {
      if (!page.session().windows_kept) off();
      else if (shown === null || follow.checked) void load(shown !== null);
    },
    draw: () => {
      if (!page.session().windows_kept || !follow.checked || running || performance.now() - asked < AGAIN_MS) return;
      const newer = (signal: Signal): boolean => chosen === null || (nameOf(signal) === nameOf(chosen) && signal.at > (shown?.at ?? ""));
      if (page.live.signals.slice(-200).some(newer)) void load(true);
    },
    show: (signal) => {
      choose({ pair: signal.pair, timeframe: signal.timeframe });
      element.scrollIntoView({ block: "nearest" });
      say(told, `Asking for the last window of ${nameOf(signal)} …`);
      shown = null;
    },
  };
}
