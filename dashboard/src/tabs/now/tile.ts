/** A card with one large figure. */
import { card, el, say } from "../../dom.ts";

export type Tile = {
  element: HTMLElement;
  /** The figure, what it is of, and a class for its colour. */
  say: (figure: string, of: string, kind?: string) => void;
  /** Lines below the figure. */
  more: (...lines: string[]) => void;
};

export function tile(title: string, ...children: HTMLElement[]): Tile {
  const value = el("span", {});
  const unit = el("small", {});
  const figure = el("p", { class: "figure" }, value, " ", unit);
  const lines: HTMLElement[] = [];
  const below = el("div", { class: "tile-more" });
  const element = card(title, figure, ...children, below);
  element.classList.add("tile");
  return {
    element,
    say: (text, of, kind = "") => {
      say(value, text);
      say(unit, of);
      value.className = kind;
    },
    more: (...texts) => {
      while (lines.length < texts.length) lines.push(below.appendChild(el("p", {})));
      for (const [index, line] of lines.entries()) say(line, texts[index] ?? "");
    },
  };
}
