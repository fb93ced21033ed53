/** Draws a tab when something has changed, but only while it can be seen. */
import type { Live } from "../live.ts";

export type Drawing = { shown: () => void; hidden: () => void };

/** `draw` runs at most once in a frame of the screen. Browsers have no frames for a page in the background. */
export function drawing(live: Live, draw: () => void): Drawing & { soon: () => void } {
  let visible = false;
  let due = false;
  const soon = (): void => {
    if (!visible || due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      if (visible) draw();
    });
  };
  live.listen(soon);
  return {
    soon,
    shown: () => {
      visible = true;
      soon();
    },
    hidden: () => {
      visible = false;
    },
  };
}
