/** What the server sends for this page: its session, its stream and the windows that it keeps. docs/dashboard-stream.md
 * describes each. The types of the other endpoints are made from the API's description: clients/node/types/api.d.ts. */
import type { components } from "../../clients/node/types/api.d.ts";

export type Schemas = components["schemas"];
export type SignalWord = "hold" | "long" | "short";

/** The session of this page: its token's name, and what the server lets it do. */
export type Session = Schemas["Session"];

export type Counts = Partial<Record<SignalWord, number>>;

/** What happened in a span of time. `at` is its end. */
export type Point = {
  at: string;
  seconds: number;
  answers: Record<string, Counts>;
  errors: Record<string, number>;
  warnings: Record<string, number>;
  latency: number[];
  phases: Record<string, { seconds: number; count: number }>;
  runs: number;
  fallbacks: number;
  abandoned: number;
};

export type Problem = { code: string; text: string };

export type ReplicaState = { name: string; active_version: string | null; revision: number; this: boolean };

/** The state of this server at one moment. */
export type Now = {
  at: string;
  ready: boolean;
  healthy: boolean;
  problems: Problem[];
  active_version: string | null;
  environment: string;
  release: string;
  started: string;
  in_progress: number;
  max_in_progress: number;
  workers: number;
  workers_configured: number;
  workers_lost: number;
  memory: { workers: number; keeper: number };
  journal_bytes: number;
  exposures_waiting: number;
  replica: string;
  replicas: ReplicaState[];
  revision: number;
};

/** One answered prediction. */
export type Signal = Schemas["ShownSignal"];

export type Hello = {
  epoch: string;
  replica: string;
  resumed: boolean;
  missed: number | null;
  bounds: number[];
  minutes: Point[];
  recent: Point[];
  now: Now;
  signals: Signal[];
  phases: string[];
};

export type Figures = { now: Now; point: Point; minute: Point | null };
export type Signals = { signals: Signal[]; answered: number };
export type Changed = { what: ("models" | "experiments")[] };

/** The events of the stream by name. */
export type Events = {
  hello: Hello;
  figures: Figures;
  signals: Signals;
  changed: Changed;
  bye: { reason: string };
};

export type KeptWindow = Schemas["KeptWindow"];

/** A candle that a person pastes or the server has kept. */
export type Candle = {
  timestamp?: string | number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume?: number;
};
