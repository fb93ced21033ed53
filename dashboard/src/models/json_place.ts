/** Where a text stops being JSON. Browsers name the place in different ways, and Chromium often not at all. */

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Stop extends Error {}

/** The line and the column, counted from 1, of the first character that does not belong there; null for valid JSON. */
export function brokenAt(text: string): { line: number; column: number } | null {
  let at = 0;
  const take = (pattern: RegExp): void => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) throw new Stop();
    at += found[0].length;
  };
  const next = (): string => {
    take(SPACE);
    return text[at] ?? "";
  };
  const mark = (character: string): void => {
    if (next() !== character) throw new Stop();
    at += 1;
  };
  const list = (end: string, item: () => void): void => {
    at += 1;
    if (next() !== end) {
      item();
      while (next() === ",") {
        at += 1;
        item();
      }
    }
    mark(end);
  };
  const value = (): void => {
    const first = next();
    if (first === "[") list("]", value);
    else if (first === "{") {
      list("}", () => {
        next();
        take(STRING);
        mark(":");
        value();
      });
    } else take(first === '"' ? STRING : PLAIN);
  };
  try {
    value();
    if (next() === "") return null;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}
