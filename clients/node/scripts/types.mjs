// Writes types/api.d.ts from the server's description: node scripts/types.mjs openapi.json
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const HEADER = `/**
 * The server's types, made from its /openapi.json by \`npm run types\`. Do not edit.
 */

`;

const description = JSON.parse(await readFile(process.argv[2] ?? 0, "utf8"));
// The client has the calls; only the forms of bodies and answers are needed.
const tree = await openapiTS({ ...description, paths: {} });
const text = astToString(tree).split("\n").filter((line) => !/^export type (paths|webhooks|operations|\$defs)\b/.test(line));
const target = new URL("../types/api.d.ts", import.meta.url);
await writeFile(process.argv[3] ?? target, HEADER + text.join("\n"));
