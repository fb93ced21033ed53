/** The report and the predictions as files. They are fetched with the session, and then saved by the browser. */
import { card, el } from "../dom.ts";
import { reason, sentence } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";

const KEPT_MS = 60_000;
const FILES = [
  ["Report as a page", "report?format=html", "report.html"],
  ["Report as Markdown", "report?format=md", "report.md"],
  ["Report as JSON", "report?format=json", "report.json"],
  ["Predictions as CSV", "export?format=csv", "predictions.csv"],
  ["Predictions as JSON lines", "export?format=jsonl", "predictions.jsonl"],
] as const;

/** The part, for the experiment that `id` names. */
export function filesPart(page: Page, id: () => string): HTMLElement {
  const buttons = FILES.map(([label, path, file]) => {
    const button = el("button", { type: "button", click: () => void save(button, path, `${id()}-${file}`) }, label);
    return button;
  });

  async function save(button: HTMLButtonElement, path: string, name: string): Promise<void> {
    button.disabled = true;
    try {
      const answer = await page.api.raw(`/reversal/experiments/${encodeURIComponent(id())}/${path}`);
      const address = URL.createObjectURL(await answer.blob());
      const link = el("a", { href: address, download: name });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
      page.tell(`${name} is saved.`);
    } catch (error) {
      page.tell(`${name} cannot be saved: ${sentence(reason(error))}`, "failed");
    } finally {
      button.disabled = false;
    }
  }

  return card("Save", el("p", { class: "soft small" }, "The page is one file without scripts: it can be mailed and printed. Users are pseudonyms in all of them."), el("div", { class: "actions" }, ...buttons));
}
