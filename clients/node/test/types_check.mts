// Compiled only: what must be accepted, and what must not.
import { CODES, ReversalError, candlesOf, createClient, getMLPrediction, pairOf, timeframeOf } from "@reversal/client";

const client = createClient({ url: "http://localhost:8000", timeoutMs: 500 });

const prediction = await client.predict({ pair: "EURUSD", timeframe: "H1", rows: [], user_id: 7 });
const signal: "hold" | "long" | "short" = prediction.signal;
const stage2: number | null = prediction.stage2_prob;
const text: string = await client.experiments.report("x", { format: "md" });
const report = await client.experiments.report("x");
const verdict: string = report.verdict.word;
for (const each of await client.predictBatch([{ pair: "EUR/USD", data: [] }])) {
  const found: string | null = each.error;
  void found;
}
const explained = await client.explain({ pair: "EURUSD", rows: [], background: 50 });
const moved: number | undefined = explained.explanation.stage1.features.close;
const timeframe: "1h" | "4h" | string = timeframeOf("H1");
const old = await getMLPrediction(pairOf("EURUSD"), timeframe, candlesOf([]).candles, { userId: 1 });
const half: 0.5 | undefined = old?.factors.sentiment;
if (new ReversalError("", { code: CODES.TIMEOUT }).retryable) {
  void [signal, stage2, text, verdict, half, moved];
}

// @ts-expect-error there is no signal "buy"
const wrong: "buy" = prediction.signal;
// @ts-expect-error rows and data exclude each other
await client.predict({ pair: "EUR/USD", rows: [], data: [] });
// @ts-expect-error a pair is a text
await client.predict({ pair: 1, rows: [] });
