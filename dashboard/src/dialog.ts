/** Questions before something changes, and short messages after it. */
import { el, say } from "./dom.ts";

/** Ask in a modal dialog. `effects`: what will happen, a sentence each. Resolves to whether the action was chosen. */
export function confirm(question: string, effects: string[], action: string): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = el("button", { type: "button", autofocus: true, click: () => dialog.close("") }, "Cancel");
    const act = el("button", { type: "button", class: "main", click: () => dialog.close("yes") }, action);
    const dialog = el(
      "dialog",
      { "aria-labelledby": "question" },
      el("h2", { id: "question" }, question),
      el("ul", {}, ...effects.map((effect) => el("li", {}, effect))),
      el("div", { class: "actions" }, cancel, act),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const SHOWN_MS = 8000;
let timer = 0;

/** Show a message for some seconds. A screen reader reads it out. */
export function tell(text: string, kind: "done" | "failed" = "done"): void {
  const place = document.getElementById("message") as HTMLElement;
  place.className = kind;
  say(place, text);
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    say(place, "");
    place.className = "";
  }, SHOWN_MS);
}
