// What the code on the pages takes from its reader: rows of a database, users, trades. Loaded before each block.
import { readFileSync } from "node:fs";
import { Server } from "node:net";

import { createClient } from "@reversal/client";

const { data } = JSON.parse(readFileSync(process.env.EXAMPLE, "utf8"));
// As pg gives them: decimals as texts, times as dates, the newest first.
const rows = data
  .map(({ timestamp, ...numbers }) => ({
    timestamp: new Date(timestamp),
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])),
  }))
  .reverse();

// The codes in the lines that a block logs.
const codes = [];
console.error = (line) => { codes.push(String(line).split(": ")[1]); };

Object.assign(globalThis, {
  rows,
  codes,
  user: { id: 7 },
  trades: { save: async (trade) => ({ id: 1, ...trade }) },
  reversal: createClient({ url: process.env.ML_API_URL }),
});

export const db = { query: async () => ({ rows }) };

// An application that listens is asked once, and ends.
const listen = Server.prototype.listen;
Server.prototype.listen = function (...where) {
  this.once("listening", async () => {
    const answer = await fetch(`http://localhost:${this.address().port}/signal`);
    console.log(JSON.stringify([answer.status, await answer.json()]));
    this.close();
    this.closeAllConnections();
  });
  return listen.apply(this, where);
};
