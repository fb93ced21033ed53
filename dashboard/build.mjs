/** Bundles the page into server/dashboard/built/, from where the server sends it: node build.mjs [FOLDER]. */
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { textOf } from "./licences.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = argv[2] ?? join(here, "..", "server", "dashboard", "built");

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { main: join(here, "src", "main.ts"), style: join(here, "src", "style.css") },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "eof",
  logLevel: "warning",
  metafile: true,
});
await writeFile(join(folder, "licenses.txt"), await textOf(here, Object.keys(metafile.inputs)));
// index.html last, because the server takes this file as the sign that the page was built.
for (const name of ["icon.svg", "index.html"]) await copyFile(join(here, "src", name), join(folder, name));
