import assert from "node:assert/strict";
import { test } from "node:test";

import type { Api } from "../src/api.ts";
import { type Connection, type Handlers, Messages, Stream } from "../src/stream.ts";

const TEXT = 'id: e-1\nevent: hello\ndata: {"a": 1}\n\n: ping\n\nevent: figures\ndata: first\ndata: second\n\n';
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

test("an event that is not understood is said, ends no connection, and hides no later event", async () => {
  const text = 'event: hello\ndata: {}\n\nevent: later\ndata: ?\n\nevent: figures\ndata: ?\n\nevent: bye\ndata: {"reason": "x"}\n\n';
  const said: Connection[] = [];
  let calls = 0;
  let end = (): void => undefined;
  const start = (control: ReadableStreamDefaultController): void => {
    control.enqueue(new TextEncoder().encode(text));
    end = () => control.close();
  };
  const raw = async (): Promise<Response> => ((calls += 1), new Response(new ReadableStream({ start })));
  const nothing = (): void => undefined;
  await new Promise<void>((resolve) => {
    const handlers: Handlers = {
      ...{ hello: nothing, figures: nothing, signals: nothing, changed: nothing, heard: nothing },
      connection: (connection) => {
        said.push(connection);
        if (said.length > 2) finish(); // it connects again
      },
      bye: () => finish(),
    };
    const stream = new Stream({ raw } as unknown as Api, handlers);
    const finish = (): void => {
      stream.stop();
      end();
      resolve();
    };
    stream.start();
  });
  assert.equal(calls, 1);
  assert.deepEqual(said.map(({ state }) => state), ["live", "broken"]);
  assert.match(said[1]?.text ?? "", /does not understand/);
});
