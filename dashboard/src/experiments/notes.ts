/** The notes of an experiment, and the form that adds one. */
import type { Schemas } from "../contract.ts";
import { card, el, note, say } from "../dom.ts";
import { field } from "../parts/field.ts";
import { redraw } from "../parts/redraw.ts";
import { adminNeeded, reason, sentence, time } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";

export type Notes = { element: HTMLElement; show: (id: string, notes: Schemas["Note"][]) => void };

/** The part. `added` is called when a note was written. */
export function notesPart(page: Page, added: () => void): Notes {
  const list = el("div", {});
  const text = field("note", "text", "New note", { kind: "lines", required: true, help: "What happened to the market or to your software. It cannot be changed later." });
  const button = el("button", { type: "submit" }, "Add note");
  const allowed = el("span", { class: "soft small" });
  let id = "";
  let drawn = "";

  async function add(): Promise<void> {
    text.fail("");
    button.disabled = true;
    try {
      await page.api.post(`/reversal/experiments/${encodeURIComponent(id)}/notes`, { text: text.input.value });
      text.input.value = "";
      page.tell("The note is kept.");
      added();
    } catch (error) {
      text.fail(sentence(reason(error)));
      text.input.focus();
    } finally {
      button.disabled = false;
    }
  }

  const form = el(
    "form",
    {
      novalidate: true,
      submit: (event: Event) => {
        event.preventDefault();
        void add();
      },
    },
    text.element,
    el("div", { class: "actions" }, button, allowed),
  );
  return {
    element: card("Notes", list, form),
    show: (of, notes) => {
      const looks = page.session().level !== "admin";
      button.disabled = looks;
      say(allowed, looks ? adminNeeded(page.session(), "add a note") : "");
      if (of !== id) {
        text.input.value = "";
        text.fail("");
      }
      id = of;
      const now = JSON.stringify([of, notes]);
      if (now === drawn) return;
      drawn = now;
      const items = notes.map((each) => el("li", {}, el("div", { class: "soft small" }, time(each.at)), each.text));
      redraw(list, items.length === 0 ? note("empty", "Nothing was written down yet.") : el("ol", { class: "plain-list notes" }, ...items));
    },
  };
}
