/** Elements of the page. Text is only ever set as text: nothing that the server sends is read as HTML. */

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: never) => void);
export type Attributes = Record<string, Value>;

/** A new element. An attribute that is a function listens to the event of that name; true sets it empty, false and
 * null leave it out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value as (event: Event) => void);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace what an element holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(
    ...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false),
  );
}

/** Set an element's text, if it differs: an unchanged text is not announced again by a screen reader. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A card: a section with a heading. */
export function card(title: string, ...children: Child[]): HTMLElement {
  return el("section", { class: "card", "aria-label": title }, el("h2", {}, title), ...children);
}

/** A sentence where there is nothing to show yet, or where something failed. */
export function note(kind: "empty" | "loading" | "error", text: string, ...more: Child[]): HTMLElement {
  return el("p", { class: `note ${kind}`, role: kind === "error" ? "alert" : "status" }, text, ...more);
}

/** A table with a caption for screen readers. Cells that are numbers belong right-aligned: give them class "number". */
export function table(caption: string, heads: (string | HTMLElement)[], rows: HTMLTableRowElement[]): HTMLElement {
  const head = el("tr", {}, ...heads.map((each) => (typeof each === "string" ? el("th", { scope: "col" }, each) : each)));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}
