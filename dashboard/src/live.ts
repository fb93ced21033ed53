/** What the stream has brought so far, and the state of the connection. Tabs listen to it. */
import type { Api } from "./api.ts";
import type { Changed, Now, Point, Signal } from "./contract.ts";
import { Stream, type Connection } from "./stream.ts";

// The stream sends a point every two seconds: of the last two minutes.
const RECENT_POINTS = 60;
const MINUTES = 120;
const SIGNALS = 2000;

export type Listener = () => void;

/** The live figures. Everything is null or empty until the stream has said hello. */
export class Live {
  connection: Connection = { state: "connecting", text: "Connecting to the server …" };
  replica: string | null = null;
  now: Now | null = null;
  bounds: number[] = [];
  phases: string[] = [];
  minutes: Point[] = [];
  recent: Point[] = [];
  /** Answers, oldest first. */
  signals: Signal[] = [];
  /** Answers since the page was opened that are not in `signals`, because there were too many or a break was too long. */
  unseen = 0;
  /** When the server last said anything. */
  heard: Date | null = null;
  changed: (what: Changed["what"]) => void = () => undefined;
  readonly #listeners = new Set<Listener>();
  readonly #stream: Stream;

  constructor(api: Api) {
    this.#stream = new Stream(api, {
      connection: (connection) => {
        this.connection = connection;
        this.#notify();
      },
      heard: () => {
        this.heard = new Date();
      },
      hello: (event) => {
        const other = this.replica !== null && this.replica !== event.replica;
        Object.assign(this, { replica: event.replica, now: event.now, bounds: event.bounds, phases: event.phases });
        this.minutes = event.minutes.slice(-MINUTES);
        this.recent = event.recent.slice(-RECENT_POINTS);
        if (event.resumed || (event.missed === null && !other && this.signals.length > 0)) this.#add(event.signals);
        else this.signals = event.signals.slice(-SIGNALS);
        this.unseen += event.missed ?? 0;
        this.changed(["models", "experiments"]);
        this.#notify();
      },
      figures: (event) => {
        this.now = event.now;
        this.recent = [...this.recent, event.point].slice(-RECENT_POINTS);
        if (event.minute !== null) this.minutes = [...this.minutes, event.minute].slice(-MINUTES);
        this.#notify();
      },
      signals: (event) => {
        this.#add(event.signals);
        this.unseen += Math.max(0, event.answered - event.signals.length);
        this.#notify();
      },
      changed: (event) => this.changed(event.what),
      bye: () => undefined,
    });
  }

  /** Connect, and stay connected until `stop`. */
  start(): void {
    this.#stream.start();
  }

  /** Disconnect. */
  stop(): void {
    this.#stream.stop();
  }

  /** Call a function after each change; returns what ends that. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(signals: Signal[]): void {
    this.signals = [...this.signals, ...signals].slice(-SIGNALS);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
