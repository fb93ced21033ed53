// The same objects as for `require`, so that both kinds of modules share one circuit breaker and one error class.
export {
  CODES,
  ReversalClient,
  ReversalError,
  candlesOf,
  createClient,
  getMLPrediction,
  pairOf,
  timeframeOf,
} from "./index.cjs";
