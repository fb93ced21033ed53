// Which bucket, and so which variant, the service gives a user. A user is a string; of an integer, its decimal form.
//
//   node bucket.mjs EXPERIMENT USER...               one bucket a line, 0 to 9999
//   node bucket.mjs --split 0.5 EXPERIMENT USER...   and the variant beside it

import { createHash } from "node:crypto";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const BUCKETS = 10000;

export function bucket(user, experiment) {
  const digest = createHash("md5").update(`${user}:${experiment}`, "utf8").digest("hex");
  return Number(BigInt(`0x${digest}`) % BigInt(BUCKETS));
}

// `split` is A's share of the users, 0 to 1.
export function variant(user, experiment, split) {
  return bucket(user, experiment) / BUCKETS < split ? "A" : "B";
}

function main() {
  const { values, positionals } = parseArgs({ options: { split: { type: "string" } }, allowPositionals: true });
  const [experiment, ...users] = positionals;
  const split = Number(values.split ?? 0);
  if (users.length === 0 || !(split >= 0 && split <= 1)) {
    console.error("usage: node bucket.mjs [--split SHARE_OF_A] EXPERIMENT USER...");
    exit(2);
  }
  for (const user of users) {
    const columns = [bucket(user, experiment)];
    if (values.split !== undefined) columns.push(variant(user, experiment, split));
    console.log(columns.join(" "));
  }
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) main();
