/** Two or more versions on candles that were pasted or uploaded. */
import { Failure } from "../api.ts";
import type { KeptWindow, Schemas } from "../contract.ts";
import { card, el, fill, note } from "../dom.ts";
import { count } from "../format.ts";
import { reason, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { inText, readCandles, Unreadable, type Read } from "./candles.ts";
import { comparisonShown } from "./compared.ts";

const TIMEFRAMES = ["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"];
const LARGEST_FILE = 16 * 1024 * 1024;
const PLACEHOLDER = "timestamp,open,high,low,close,volume\n2026-01-05T08:00:00Z,1.0841,1.0853,1.0838,1.0850,1200\n…";

export type Compare = { element: HTMLElement; redraw: () => void };

/** The part. `models` are those that the page knows at the moment. */
export function comparePart(page: Page, models: () => Schemas["Models"] | null): Compare {
  const text = el("textarea", { id: "candles", rows: 8, spellcheck: "false", autocomplete: "off", placeholder: PLACEHOLDER, "aria-describedby": "candles-help candles-state" });
  const file = el("input", { id: "candles-file", type: "file", accept: ".csv,.json,.txt,text/csv,application/json", change: () => void take(file.files?.[0]) });
  const state = el("p", { id: "candles-state", class: "soft small", role: "status" });
  const problem = el("div", { class: "field-error", role: "alert" });
  const pair = el("input", { id: "compare-pair", value: "EUR/USD", autocomplete: "off", size: 9, required: true });
  const timeframe = el("select", { id: "compare-timeframe" }, ...TIMEFRAMES.map((each) => el("option", { selected: each === "1h" }, each)));
  const versions = el("div", { class: "choices" });
  const button = el("button", { type: "submit", class: "main" }, "Compare");
  const samples = el("span", {});
  const answer = el("div", { class: "answer" });
  let offered = "";

  const drop = el(
    "div",
    {
      class: "drop",
      dragover: (event: DragEvent) => {
        event.preventDefault();
        drop.classList.add("over");
      },
      dragleave: () => drop.classList.remove("over"),
      drop: (event: DragEvent) => {
        event.preventDefault();
        drop.classList.remove("over");
        void take(event.dataTransfer?.files[0]);
      },
    },
    el("label", { for: "candles" }, "Candles"),
    el("p", { id: "candles-help", class: "soft small" }, "Paste CSV with a header, a JSON list of candles or the body of a prediction; or drop a file here. Oldest first. Nothing is kept, and no experiment counts it."),
    text,
    state,
    el("div", { class: "line" }, el("label", { for: "candles-file" }, "From a file"), file, samples),
  );

  async function take(chosen: File | null | undefined): Promise<void> {
    if (chosen === null || chosen === undefined) return;
    if (chosen.size > LARGEST_FILE) {
      fill(problem, `${chosen.name} is larger than 16 MiB. Cut it to the last few hundred candles.`);
      return;
    }
    text.value = await chosen.text();
    look();
  }

  /** Read what is there: says how many candles, or what is wrong and where. */
  function look(): Read | null {
    fill(problem);
    state.textContent = "";
    try {
      const read = readCandles(text.value);
      if (read.pair !== undefined) pair.value = read.pair;
      if (read.timeframe !== undefined && TIMEFRAMES.includes(read.timeframe)) timeframe.value = read.timeframe;
      const stamped = read.fields.data?.[0]?.timestamp === undefined ? "without times" : "with times";
      state.textContent = read.fields.data === undefined ? "Features, no candles." : `${count(read.candles)} candles, ${stamped}.`;
      text.removeAttribute("aria-invalid");
      return read;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      if (text.value.trim() !== "") text.setAttribute("aria-invalid", "true");
      fill(problem, error.message);
      return null;
    }
  }

  const chosen = (): string[] => [...versions.querySelectorAll<HTMLInputElement>("input:checked")].map((each) => each.value);

  async function compare(): Promise<void> {
    const read = look();
    if (read === null) {
      text.focus();
      return;
    }
    if (chosen().length === 0) {
      fill(problem, "No version is chosen. Choose one or more.");
      return;
    }
    const body = { ...read.fields, pair: pair.value.trim(), timeframe: timeframe.value };
    button.disabled = true;
    fill(answer, note("loading", "Comparing …"));
    try {
      const found = (await page.api.post("/reversal/compare", { ...body, versions: chosen() })) as Schemas["Comparison"];
      fill(answer, comparisonShown(page, found, models(), body));
    } catch (error) {
      fill(answer);
      fill(problem, ...complaints(error, read));
    } finally {
      button.disabled = false;
    }
  }

  function complaints(error: unknown, read: Read): HTMLElement[] {
    const details = error instanceof Failure ? error.details : [];
    const texts = details.length === 0 ? [reason(error)] : details.slice(0, 5).map((detail) => (detail.path === "data" ? detail.message : inText(read, detail)));
    const advice = error instanceof Failure && error.code === "INSUFFICIENT_DATA" ? " Give more candles, or choose fewer versions." : "";
    return texts.map((each, index) => el("p", {}, sentence(each) + (index === texts.length - 1 ? advice : "")));
  }

  /** Offers the windows that the server keeps, where the operator has switched that on. */
  async function offer(): Promise<void> {
    if (!page.session().windows_kept) return;
    try {
      const { places } = (await page.api.get("/dashboard/window")) as KeptWindow;
      const newest = places.slice(0, 4);
      const now = newest.map((place) => `${place.pair} ${place.timeframe}`).join();
      if (now === offered) return;
      offered = now;
      fill(samples, ...newest.map((place) => el("button", { type: "button", click: () => void sample(place.pair, place.timeframe) }, `Last window of ${place.pair} ${place.timeframe}`)));
    } catch {
      fill(samples); // a convenience: without it, candles can still be pasted
    }
  }

  async function sample(of: string, at: string): Promise<void> {
    try {
      const query = new URLSearchParams({ pair: of, timeframe: at });
      const { window: kept } = (await page.api.get(`/dashboard/window?${query}`)) as KeptWindow;
      if (kept === null) {
        page.tell(`The server no longer keeps a window of ${of} ${at}.`, "failed");
        return;
      }
      const lines = kept.data.map((candle) => JSON.stringify(candle)).join(",\n");
      text.value = `{"pair": ${JSON.stringify(kept.pair)}, "timeframe": ${JSON.stringify(kept.timeframe)}, "data": [\n${lines}\n]}`;
      look();
    } catch (error) {
      page.tell(`The window cannot be read: ${sentence(reason(error))}`, "failed");
    }
  }

  /** Offers the loaded versions; what was chosen stays chosen. */
  function draw(): void {
    const loaded = Object.values(models()?.versions ?? {}).filter((model) => model.loaded).map((model) => model.version);
    const known = new Map([...versions.querySelectorAll("input")].map((each) => [each.value, each.checked]));
    if (loaded.join() !== [...known.keys()].join()) {
      fill(versions, ...loaded.map((version) => el("label", {}, el("input", { type: "checkbox", value: version, checked: known.get(version) ?? true }), ` ${version}`)));
    }
    void offer();
  }

  text.addEventListener("input", () => {
    fill(problem);
    state.textContent = "";
    text.removeAttribute("aria-invalid");
  });
  text.addEventListener("change", () => {
    if (text.value.trim() !== "") look();
  });
  const form = el(
    "form",
    {
      novalidate: true,
      submit: (event: Event) => {
        event.preventDefault();
        void compare();
      },
    },
    drop,
    el(
      "div",
      { class: "fields" },
      el("div", {}, el("label", { for: "compare-pair" }, "Pair"), pair),
      el("div", {}, el("label", { for: "compare-timeframe" }, "Timeframe"), timeframe),
      el("fieldset", { class: "bare" }, el("legend", {}, "Versions"), versions),
      el("div", { class: "push" }, button),
    ),
    problem,
  );
  return { element: card("Compare versions on the same candles", form, answer), redraw: draw };
}
