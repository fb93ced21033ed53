/** Says that the figures of a tab are old, while there is no connection. */
import { el, say } from "../dom.ts";
import type { Live } from "../live.ts";

export function staleNote(live: Live): { element: HTMLElement; draw: () => void } {
  const element = el("p", { class: "card stale", role: "status", hidden: true });
  return {
    element,
    draw: () => {
      element.hidden = live.connection.state === "live";
      say(element, element.hidden ? "" : "There is no connection to the server. What is shown here is what was received last.");
    },
  };
}
