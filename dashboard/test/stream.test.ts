import assert from "node:assert/strict";
import { test } from "node:test";

import { Messages } from "../src/stream.ts";

const TEXT = "id: e-1\nevent: hello\ndata: {\"a\": 1}\n\n: ping\n\nevent: figures\ndata: first\ndata: second\n\n";
const EXPECTED = [
  { id: "e-1", event: "hello", data: '{"a": 1}' },
  { id: null, event: "figures", data: "first\nsecond" },
];

test("messages are found wherever the text is cut", () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const messages = new Messages();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...messages.add(TEXT.slice(at, at + size)));
    assert.deepEqual(found, EXPECTED, `in pieces of ${size}`);
  }
});

test("lines may end with carriage returns, also where these are cut", () => {
  const text = TEXT.replaceAll("\n", "\r\n");
  for (let size = 1; size <= text.length; size += 1) {
    const messages = new Messages();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...messages.add(text.slice(at, at + size)));
    assert.deepEqual(found, EXPECTED, `in pieces of ${size}`);
  }
});

test("a message without its empty line is not complete", () => {
  const messages = new Messages();
  assert.deepEqual(messages.add("data: a\n"), []);
  assert.deepEqual(messages.add("\n"), [{ id: null, event: "message", data: "a" }]);
});

test("one blank after the colon belongs to the format, a second one to the value", () => {
  assert.equal(new Messages().add("data:a\n\n")[0]?.data, "a");
  assert.equal(new Messages().add("data:  a\n\n")[0]?.data, " a");
  assert.equal(new Messages().add("data\n\n")[0]?.data, "");
});

test("comments and unknown fields are passed over", () => {
  assert.deepEqual(new Messages().add(": ping\nretry: 5\ndata: a\n\n"), [{ id: null, event: "message", data: "a" }]);
  assert.deepEqual(new Messages().add(": ping\n\n"), []);
});
