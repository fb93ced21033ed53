/** Light, dark, or as the system has it. The choice is kept in this browser. */
import { el } from "./dom.ts";

const KEY = "reversal-theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const LABELS: Record<Theme, string> = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === value) ?? "auto";
  } catch {
    return "auto"; // storage can be forbidden
  }
}

function apply(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  dispatchEvent(new Event("themechange"));
}

/** A button that goes through the themes. Charts listen to `themechange` on the window, and to the system's setting. */
export function themeButton(): HTMLElement {
  let theme = kept();
  apply(theme);
  const button = el("button", { type: "button", class: "plain theme" }, LABELS[theme]);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // it then lasts until the page is left
    }
    button.textContent = LABELS[theme];
    apply(theme);
  });
  return button;
}

/** Call a function now and after each change of the colours. */
export function withColours(draw: () => void): void {
  draw();
  addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** A colour of the page's style sheet, such as `--long`, as it is now. */
export function colour(name: string): string {
  // A custom property keeps light-dark() as it is written; a used value resolves it.
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
