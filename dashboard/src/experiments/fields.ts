/** Between the fields of a form and the server's bodies: what is sent, and where each of its complaints belongs. */
import type { Detail } from "../api.ts";

type Body = { [name: string]: unknown };

/** The body of a request from fields by their paths. An empty field is left out, so that the server's default holds.
 * What is no number is sent as it is: the server then says what is wrong with it. */
export function body(values: ReadonlyMap<string, string>, numbers: ReadonlySet<string>): Body {
  const found: Body = {};
  for (const [path, text] of values) {
    const trimmed = text.trim();
    if (trimmed === "") continue;
    const value = numbers.has(path) ? numberOf(trimmed) : trimmed;
    const [outer, inner] = path.split(".") as [string, string | undefined];
    if (inner === undefined) found[outer] = value;
    else found[outer] = { ...(found[outer] as Body | undefined), [inner]: value };
  }
  return found;
}

/** A number; a decimal comma is understood. */
function numberOf(text: string): number | string {
  const number = Number(/^[+-]?\d+,\d+$/.test(text) ? text.replace(",", ".") : text);
  return Number.isFinite(number) ? number : text;
}

/** Each complaint at the field that it is about; `rest` has those about none. A path may name more than a field:
 * the longest field that it begins with gets it. */
export function placed(details: readonly Detail[], names: readonly string[]): { at: Map<string, string>; rest: string[] } {
  const at = new Map<string, string>();
  const rest: string[] = [];
  for (const { path, message } of details) {
    const owner = names
      .filter((name) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`))
      .reduce((best, name) => (name.length > best.length ? name : best), "");
    if (owner === "") rest.push(path === "" ? message : `${path}: ${message}`);
    else at.set(owner, at.has(owner) ? `${at.get(owner)}; ${message}` : message);
  }
  return { at, rest };
}

/** An id made from a name: small letters, digits and underscores, as the server allows them. */
export function idOf(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "_")
    .replace(/^[_.]+|[_.]+$/g, "")
    .slice(0, 64);
}
