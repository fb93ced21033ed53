/** Draw a part of the page again without taking away what the reader does in it. */
import { fill } from "../dom.ts";

type Drawn = Node | string | null | undefined | false;

/** Replace what an element holds. Kept by `data-key`: the focus, which details are open, how far a table is scrolled. */
export function redraw(root: HTMLElement, ...children: Drawn[]): void {
  const keyed = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>("[data-key]")];
  const focused = document.activeElement instanceof HTMLElement && root.contains(document.activeElement);
  const key = focused ? (document.activeElement as HTMLElement).dataset["key"] : undefined;
  const opened = new Map<string, boolean>();
  for (const each of keyed()) if (each instanceof HTMLDetailsElement) opened.set(each.dataset["key"] ?? "", each.open);
  const scrolled = new Map<string, ScrollToOptions>();
  for (const each of root.querySelectorAll(".scroll")) {
    scrolled.set(each.getAttribute("aria-label") ?? "", { left: each.scrollLeft, top: each.scrollTop });
  }
  fill(root, ...children);
  for (const each of keyed()) {
    const name = each.dataset["key"] ?? "";
    if (each instanceof HTMLDetailsElement) each.open = opened.get(name) ?? each.open;
    if (key !== undefined && name === key) each.focus({ preventScroll: true });
  }
  for (const each of root.querySelectorAll(".scroll")) {
    each.scrollTo(scrolled.get(each.getAttribute("aria-label") ?? "") ?? {});
  }
}
