/** The licences that ship with the page. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { textOf } from "../licences.mjs";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..");

test("each library that was bundled has its text once, with what its licence asks for", async () => {
  const text = await textOf(FOLDER, [
    "src/main.ts",
    "node_modules/uplot/dist/uPlot.esm.js",
    "node_modules/uplot/dist/uPlot.min.css",
    "../elsewhere/node_modules/lightweight-charts/dist/lightweight-charts.production.mjs",
    "node_modules/fancy-canvas/size.mjs",
  ]);
  const headings = text.match(/^[\w-]+ [\d.]+ \(.*\)$/gm)?.map((each) => each.split(" ")[0]);
  assert.deepEqual(headings, ["fancy-canvas", "lightweight-charts", "uplot"]);
  assert.match(text, /Copyright \(c\) \d{4} TradingView, Inc\. https:\/\/www\.tradingview\.com\//);
  assert.match(text, /Apache License\s+Version 2\.0/);
  assert.match(text, /Copyright \(c\) \d{4} Leon Sorokin/);
  assert.equal(text.match(/Permission is hereby granted, free of charge/g)?.length, 2);
});

test("without libraries none is named", async () => {
  assert.doesNotMatch(await textOf(FOLDER, ["src/main.ts"]), /\(MIT\)/);
});

test("a library without a text stops the build", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "licences-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "node_modules", "bare"), { recursive: true });
  await writeFile(join(folder, "node_modules", "bare", "package.json"), '{"version": "1.0.0", "license": "MIT"}');
  await assert.rejects(textOf(folder, ["node_modules/bare/index.js"]), /notices\/bare\.txt/);
  await mkdir(join(folder, "notices"));
  await writeFile(join(folder, "notices", "bare.txt"), "All of it may be used.");
  assert.match(await textOf(folder, ["node_modules/bare/index.js"]), /bare 1\.0\.0 \(MIT\)[^]*All of it may be used\./);
});
