import type { components } from "./api";

type Schemas = components["schemas"];

export type Signal = Schemas["Signal"];
export type Timeframe = Schemas["Timeframe"];
export type Candle = Schemas["Candle"];
export type Prediction = Omit<Schemas["Prediction"], "warnings"> & { warnings?: Warning[] };
export type LegacyPrediction = Schemas["LegacyPrediction"];
export type BatchResult = Schemas["BatchResults"]["results"][number];
export type Comparison = Schemas["Comparison"];
export type Explanation = Schemas["Explanation"];
export type ExplainedPrediction = Omit<Schemas["ExplainedPrediction"], "warnings"> & { warnings?: Warning[] };
export type Model = Schemas["Model"];
export type Models = Schemas["Models"];
export type Experiment = Schemas["Experiment"];
export type Outcome = Schemas["ReportedOutcome"];
export type OutcomeResults = Schemas["OutcomeResults"];
/** A warning of the server; ROWS_LEFT_OUT is the client's own: rows that could not be used. */
export type Warning = Schemas["Warning"] | { code: "ROWS_LEFT_OUT"; message: string };

/** What is the same in every call. */
export interface CallOptions {
  /** How long the call may take, its second try included. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Written to the server's log; a new one if it is not given. */
  requestId?: string;
}

/** Candles in any form that candlesOf takes, instead of `data`. The names of pair and timeframe may be aliases. */
export type WithRows<Request extends { data?: unknown }> = Omit<Request, "pair" | "timeframe" | "data"> & {
  pair: string;
  timeframe?: string | number | null;
} & (
  | { data?: Request["data"]; rows?: undefined; timezone?: undefined; price?: undefined }
  | ({ rows: unknown; data?: undefined } & Pick<CandleOptions, "timezone" | "price">)
);

export interface ClientOptions {
  /** Default: ML_API_URL of the environment, else http://localhost:8000. It may have a path; a slash at its end does no harm. */
  url?: string;
  /** Default: ML_API_TOKEN of the environment, if `url` is not given. */
  token?: string;
  /** Default: 5000. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}

export class ReversalClient {
  constructor(options?: ClientOptions);
  predict(request: WithRows<Schemas["PredictRequest"]>, options?: CallOptions): Promise<Prediction>;
  predictLegacy(request: WithRows<Schemas["PredictRequest"]>, options?: CallOptions): Promise<LegacyPrediction>;
  predictBatch(items: WithRows<Schemas["PredictRequest"]>[], options?: CallOptions): Promise<BatchResult[]>;
  compare(request: WithRows<Schemas["CompareRequest"]>, options?: CallOptions): Promise<Comparison>;
  /** A prediction, and how much each feature moved it; no experiment counts it. */
  explain(request: WithRows<Schemas["ExplainRequest"]>, options?: CallOptions): Promise<ExplainedPrediction>;
  /** Does not reject if the server is unhealthy: its answer says so. */
  health(options?: CallOptions): Promise<Schemas["Health"]>;
  ready(options?: CallOptions): Promise<Schemas["Probe"]>;
  readonly models: {
    list(options?: CallOptions): Promise<Models>;
    show(version: string, options?: CallOptions): Promise<Model>;
    load(version: string, options?: CallOptions): Promise<Schemas["Loaded"]>;
    unload(version: string, options?: CallOptions): Promise<Schemas["Loaded"]>;
    switch(version: string, options?: CallOptions): Promise<Schemas["Switched"]>;
  };
  readonly experiments: {
    list(options?: CallOptions): Promise<Experiment[]>;
    create(experiment: Schemas["CreateExperiment"], options?: CallOptions): Promise<Experiment>;
    plan(plan: Schemas["PlanExperiment"], options?: CallOptions): Promise<Schemas["Plan"]>;
    show(id: string, options?: CallOptions): Promise<Schemas["ExperimentWithNotes"]>;
    activate(id: string, options?: CallOptions): Promise<Schemas["ActivatedExperiment"]>;
    stop(id: string, options?: CallOptions): Promise<Experiment>;
    addNote(id: string, note: Schemas["AddNote"], options?: CallOptions): Promise<Schemas["AddedNote"]>;
    metrics(id: string, options?: CallOptions): Promise<Schemas["ExperimentMetrics"]>;
    evaluate(id: string, request: WithRows<Schemas["Evaluate"]>, options?: CallOptions): Promise<Schemas["Evaluation"]>;
    report(id: string, options?: CallOptions & { format?: "json" }): Promise<Schemas["Report"]>;
    report(id: string, options: CallOptions & { format: "md" | "html" }): Promise<string>;
    export(id: string, options?: CallOptions & { format?: "jsonl" | "csv" }): Promise<string>;
  };
  readonly outcomes: {
    report(outcomes: Outcome[], options?: CallOptions): Promise<OutcomeResults>;
  };
}

export function createClient(options?: ClientOptions): ReversalClient;

export interface CandleOptions {
  /** Decides when the last candle ends; without it, the usual distance of the candles does. */
  timeframe?: string | number;
  /** Whether a time is that of the opening (default) or of the closing. */
  timestamps?: "open" | "close";
  /** Of times that name no zone, and of MetaTrader's numbers, which are its broker's clock: an IANA name, default UTC. */
  timezone?: string;
  /** Which prices of OANDA; default mid. */
  price?: "mid" | "bid" | "ask";
  /** The present; default: the clock of this machine. */
  now?: number | Date;
}

/** A row that was left out: its place in the input, and why. */
export interface DroppedRow {
  place: string;
  reason: string;
}

/**
 * Closed candles as the server takes them, oldest first, from what databases and providers give. Throws without
 * timestamps, and if no candle is left.
 */
export function candlesOf(
  rows: unknown,
  options?: CandleOptions,
): { candles: (Candle & { timestamp: string })[]; dropped: DroppedRow[] };

/** The pair as the server writes it, EUR/USD, for EURUSD, EUR_USD, EURUSD=X and similar names. */
export function pairOf(name: string): string;

/** The timeframe as the server writes it, 1h, for H1, 60min, 60 and similar names. `1m` and `M` throw. */
export function timeframeOf(name: string | number): Timeframe;

export interface MLPrediction {
  prediction: Signal;
  confidence: number;
  factors: { technical: number; sentiment: 0.5; pattern: number };
  model_version: string;
  timestamp: string;
  warnings: Warning[];
  candle_time?: string;
  valid_until?: string | null;
  prediction_id?: string;
  experiment?: Schemas["Assignment"];
}

export interface MLPredictionOptions extends Omit<CandleOptions, "timeframe" | "now"> {
  userId?: string | number | null;
  /** The same as userId. */
  user_id?: string | number | null;
  version?: string | null;
  /** false asks the call of the old service only; default true. */
  useReversalAPI?: boolean;
  client?: ReversalClient;
  /** Default: console. */
  logger?: { warn(message: string): void };
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A prediction in the form of the backend's own method; null if there is none, and the reason is logged once. */
export function getMLPrediction(
  pair: string,
  timeframe: string,
  marketData: unknown,
  options?: MLPredictionOptions,
): Promise<MLPrediction | null>;

/** Codes of errors that arise in the client. All others are the server's. */
export const CODES: Readonly<{
  NO_CONNECTION: "NO_CONNECTION";
  CONNECTION_LOST: "CONNECTION_LOST";
  TIMEOUT: "TIMEOUT";
  ABORTED: "ABORTED";
  CIRCUIT_OPEN: "CIRCUIT_OPEN";
  BAD_ANSWER: "BAD_ANSWER";
  BAD_INPUT: "BAD_INPUT";
}>;

/** Every error of this package. The message is the server's sentence, if the server answered. */
export class ReversalError extends Error {
  readonly code: string;
  /** 0 if there was no answer. */
  readonly status: number;
  /** The place of the fault in the request, such as data[17].high. */
  readonly path: string | null;
  readonly details: { path: string; message: string }[];
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** Names the request in the server's log. */
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
  constructor(message: string, facts: { code: string; status?: number; cause?: unknown });
}
