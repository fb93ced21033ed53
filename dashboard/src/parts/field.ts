/** A field of a form: its label, its help and what is wrong with it, tied together for screen readers. */
import { el, say } from "../dom.ts";
import { sentence } from "./shown.ts";

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
export type Field = {
  name: string;
  element: HTMLElement;
  input: Input;
  /** Show what is wrong, or with an empty text that nothing is. */
  fail: (text: string) => void;
};

export type Choice = readonly [value: string, text: string];
type Options = { help?: string; kind?: "text" | "number" | "time" | "lines"; choices?: Choice[]; value?: string; required?: boolean; wide?: boolean };

/** A field. `name` is the path of the server's field, such as guardrails.max_error_rate. */
export function field(form: string, name: string, label: string, options: Options = {}): Field {
  const id = `${form}-${name.replaceAll(".", "-")}`;
  const { help, kind = "text", choices, value = "", required = false, wide = false } = options;
  const shared = { id, name, required, "aria-describedby": `${id}-help ${id}-error` };
  let input: Input;
  if (choices !== undefined) {
    input = el("select", shared);
    offer(input, choices, value);
  } else if (kind === "lines") {
    input = el("textarea", { ...shared, rows: 3, class: "prose-input" }, value);
  } else {
    const type = kind === "time" ? "datetime-local" : "text";
    input = el("input", { ...shared, type, value, autocomplete: "off", spellcheck: "false", inputmode: kind === "number" ? "decimal" : null });
  }
  const error = el("p", { id: `${id}-error`, class: "field-error" });
  const mark = required ? null : el("span", { class: "soft small" }, " optional");
  const element = el(
    "div",
    { class: wide ? "field wide" : "field" },
    el("label", { for: id }, label, mark),
    input,
    error,
    help === undefined ? null : el("p", { id: `${id}-help`, class: "soft small" }, help),
  );
  const fail = (text: string): void => {
    say(error, text);
    if (text === "") input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
  };
  input.addEventListener("input", () => fail(""));
  return { name, element, input, fail };
}

/** Replace the choices of a select; what is chosen stays chosen where it is still offered. */
export function offer(input: Input, choices: readonly Choice[], chosen = input.value): void {
  input.replaceChildren(...choices.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

/** Show at each field what is wrong with it. Focuses the first such field. */
export function failAt(fields: Field[], placed: Map<string, string>): void {
  for (const each of fields) each.fail(sentence(placed.get(each.name) ?? ""));
  const first = fields.find((each) => placed.has(each.name) && !each.element.hidden);
  const folded = first?.element.closest("details");
  if (folded !== null && folded !== undefined) folded.open = true;
  first?.input.focus();
}
