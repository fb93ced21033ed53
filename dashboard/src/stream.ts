/** The server's events (text/event-stream). Read with fetch rather than EventSource, which hides status codes. */
import { Failure, type Api } from "./api.ts";
import type { Events } from "./contract.ts";

export type Connection = { state: "connecting" | "live" | "broken" | "signed-out"; text: string };

export type Handlers = { [K in keyof Events]: (event: Events[K]) => void } & {
  connection: (connection: Connection) => void;
  /** Anything was received, be it a ping. */
  heard: () => void;
};

// The server sends at least a ping every 15 s.
const SILENT_MS = 40_000;
const LONGEST_PAUSE_MS = 15_000;

export type Message = { id: string | null; event: string; data: string };

/** Cuts a stream's text into messages, by the rules of the HTML standard for server-sent events. */
export class Messages {
  #rest = "";

  /** The messages that are complete with this piece of text. A line's end may be split between two pieces. */
  add(piece: string): Message[] {
    const text = this.#rest + piece;
    const found: Message[] = [];
    const parts = text.split(/\r\n\r\n|\n\n|\r\r/);
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const message: Message = { id: null, event: "message", data: "" };
      const data: string[] = [];
      for (const line of part.split(/\r\n|\n|\r/)) {
        const colon = line.indexOf(":");
        if (colon === 0 || line === "") continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "data") data.push(value);
        else if (field === "event") message.event = value;
        else if (field === "id") message.id = value;
      }
      if (data.length > 0) found.push({ ...message, data: data.join("\n") });
    }
    return found;
  }
}

/** The stream. After a break it connects again, and says which event it has seen last. */
export class Stream {
  readonly #api: Api;
  readonly #handlers: Handlers;
  #last: string | null = null;
  #abort: AbortController | null = null;
  #running = 0;

  constructor(api: Api, handlers: Handlers) {
    this.#api = api;
    this.#handlers = handlers;
  }

  start(): void {
    this.stop();
    void this.#run(this.#running);
  }

  stop(): void {
    this.#running += 1;
    this.#abort?.abort();
  }

  async #run(number: number): Promise<void> {
    let failures = 0;
    while (number === this.#running) {
      try {
        await this.#read(number, () => {
          failures = 0;
        });
      } catch (error) {
        if (number !== this.#running) return;
        if (error instanceof Failure && error.status === 401) {
          this.#handlers.connection({ state: "signed-out", text: "Signed out" });
          return;
        }
        failures += 1;
        const why = error instanceof Failure ? error.message : "The connection broke.";
        this.#handlers.connection({ state: "broken", text: `${why} Trying again …` });
      }
      // The first attempts come quickly, because a worker that ends is replaced at once. Chance keeps many pages apart.
      const pause = failures === 0 ? 100 : Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures);
      await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    }
  }

  async #read(number: number, connected: () => void): Promise<void> {
    const abort = (this.#abort = new AbortController());
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#last !== null) headers["Last-Event-ID"] = this.#last;
    let silence = setTimeout(() => abort.abort(), SILENT_MS);
    try {
      const answer = await this.#api.raw("/dashboard/stream", headers, abort.signal);
      if (answer.body === null) throw new Failure(answer.status, "UNKNOWN", "The stream has no body.");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const messages = new Messages();
      for (;;) {
        const { value, done } = await reader.read();
        if (number !== this.#running) return;
        if (done) throw new Failure(0, "UNREACHABLE", "The server ended the connection.");
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENT_MS);
        this.#handlers.heard();
        for (const message of messages.add(value)) {
          if (message.id !== null) this.#last = message.id;
          if (message.event === "hello") {
            connected();
            this.#handlers.connection({ state: "live", text: "Live" });
          }
          this.#deliver(message);
        }
      }
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
  }

  #deliver(message: Message): void {
    const handler = this.#handlers[message.event as keyof Events] as ((event: unknown) => void) | undefined;
    if (handler === undefined) return;
    try {
      handler(JSON.parse(message.data));
    } catch {
      // To connect again would not help: the next event is of the same form.
      this.#handlers.connection({ state: "broken", text: "This page does not understand the server. Load it again." });
    }
  }
}
