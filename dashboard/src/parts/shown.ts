/** Small pieces that several views show: times, names of files, reasons of failures. */
import { Failure } from "../api.ts";
import type { Schemas, Session } from "../contract.ts";
import { el } from "../dom.ts";
import { moment, utc } from "../format.ts";

/** A time in the viewer's zone, with UTC on hover. */
export function time(at: string): HTMLElement {
  return el("time", { datetime: at, title: utc(at) }, moment(at));
}

/** What it takes to do something that this page may not do. */
export function adminNeeded({ guarded }: Session, what: string): string {
  const how = guarded ? "sign in with an admin token" : "open this page on the server's machine, as localhost, or set tokens";
  return `This page may look only. To ${what}, ${how}.`;
}

/** What went wrong, for people. */
export function reason(error: unknown): string {
  if (error instanceof Failure) return error.message;
  return error instanceof Error ? error.message : String(error);
}

/** A sentence with a capital letter and a full stop: the server's sentences begin small and end open.
 * A number below zero gets the sign that the page's other numbers have. */
export function sentence(text: string): string {
  if (text === "") return "";
  const minus = text.replace(/(?<=^|[\s(])-(?=\d)/g, "−");
  const whole = /[.!?]$/.test(minus) ? minus : `${minus}.`;
  // A name such as v3.0 or max_p99_ms stays as it is written.
  return /^[a-z]+(?=[\s,;:.])/.test(whole) ? whole.charAt(0).toUpperCase() + whole.slice(1) : whole;
}

/** The signal as a word in its colour. */
export function signalWord(signal: Schemas["Signal"]): HTMLElement {
  return el("strong", { class: `signal-word ${signal}` }, signal);
}

/** One row of a table; the first cell is its heading. Numbers are aligned to the right. */
export function row(head: string | HTMLElement, cells: (string | HTMLElement)[], numbers = true): HTMLTableRowElement {
  return el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", { class: numbers ? "number" : "" }, cell)));
}

/** Headings of a table whose first column is text and whose others are numbers. */
export function heads(first: string, ...others: string[]): HTMLElement[] {
  return [el("th", { scope: "col" }, first), ...others.map((each) => el("th", { scope: "col", class: "number" }, each))];
}

/** A table in a closed part that opens on demand. */
export function folded(key: string, summary: string, ...children: (Node | string)[]): HTMLDetailsElement {
  return el("details", { "data-key": key }, el("summary", { "data-key": `${key}-summary` }, summary), ...children);
}

/** A list of facts: a name and what it is. `kind`: "figures" for a long list of short values. */
export function facts(pairs: (readonly [string, Node | string] | null)[], kind = ""): HTMLElement {
  const shown = pairs.filter((pair): pair is readonly [string, Node | string] => pair !== null);
  return el("dl", { class: `facts ${kind}` }, ...shown.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

