/** The licences of the libraries in the built page, as text: node_modules has them, and notices/ what a package lacks. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const OF_A_LIBRARY = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//;
const LEGAL = /^(licen[cs]e|notice|copying)/i;

/** The text for the modules that were bundled. Fails if a library has no text of its own and none in notices/. */
export async function textOf(folder, modules) {
  const names = [...new Set(modules.map((each) => OF_A_LIBRARY.exec(each)?.[1]).filter(Boolean))].sort();
  const parts = await Promise.all(names.map((name) => partOf(folder, name)));
  return `The page at /dashboard has parts of these libraries.\n\n${parts.join("\n\n")}`;
}

async function partOf(folder, name) {
  const place = join(folder, "node_modules", name);
  const about = JSON.parse(await readFile(join(place, "package.json"), "utf8"));
  const files = (await readdir(place)).filter((each) => LEGAL.test(each)).sort();
  const found = await Promise.all(files.map((each) => readFile(join(place, each), "utf8")));
  const notice = await readFile(join(folder, "notices", `${name}.txt`), "utf8").catch(() => null);
  if (notice !== null) found.unshift(notice);
  if (found.length === 0) throw new Error(`${name} has no licence text; write notices/${name}.txt`);
  const heading = `${name} ${about.version} (${about.license})`;
  return [heading, "=".repeat(heading.length), "", ...found.map((each) => `${each.trim()}\n`)].join("\n");
}
