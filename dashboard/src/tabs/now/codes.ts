/** Errors, refusals and warnings by code. */
import type { Point } from "../../contract.ts";
import { card, el, note, say, table } from "../../dom.ts";
import { type CodeRow, codeRows, meaningOf } from "../../figures/codes.ts";
import { count } from "../../format.ts";

const KINDS = { error: "bad", refusal: "warn", warning: "soft" } as const;

type Shown = { row: HTMLTableRowElement; minute: HTMLElement; hour: HTMLElement };

export function codesTable(): { element: HTMLElement; draw: (minute: Point, hour: Point) => void } {
  const shown = new Map<string, Shown>();
  const heads = ["Code and meaning", "Last minute", "Last hour"].map((text) =>
    el("th", { scope: "col", class: text.startsWith("Last") ? "number" : "" }, text),
  );
  const place = table("Errors, refusals and warnings by code", heads, []);
  const rows = place.querySelector("tbody") as HTMLElement;
  const none = note("empty", "No errors, refusals or warnings in the last hour.");
  const made = ({ code, kind }: CodeRow): Shown => {
    const minute = el("td", { class: "number" });
    const hour = el("td", { class: "number" });
    const row = el(
      "tr",
      {},
      el("td", {}, el("code", {}, code), " ", el("span", { class: `badge ${KINDS[kind]}` }, kind), el("div", { class: "meaning soft" }, meaningOf(code))),
      minute,
      hour,
    );
    return { row, minute, hour };
  };
  return {
    element: card("Errors, refusals and warnings", place, none),
    draw: (minute, hour) => {
      const found = codeRows(minute, hour);
      none.hidden = found.length > 0;
      place.hidden = found.length === 0;
      for (const [code, { row }] of shown)
        if (!found.some((each) => each.kind + each.code === code)) {
          row.remove();
          shown.delete(code);
        }
      for (const [index, each] of found.entries()) {
        const key = each.kind + each.code;
        let cells = shown.get(key);
        if (cells === undefined) shown.set(key, (cells = made(each)));
        if (rows.children[index] !== cells.row) rows.insertBefore(cells.row, rows.children[index] ?? null);
        say(cells.minute, count(each.minute));
        say(cells.hour, count(each.hour));
      }
    },
  };
}
