"use strict";

const { candlesOf } = require("./candles.cjs");
const { ReversalClient, createClient } = require("./client.cjs");
const { CODES, ReversalError } = require("./errors.cjs");
const { getMLPrediction } = require("./drop_in.cjs");
const { pairOf, timeframeOf } = require("./names.cjs");

// One file for `import` and `require`, so that both have one circuit breaker and one error class. Node reads the names for
// `import` from the text of this line, so each is written out.
module.exports = { CODES, ReversalClient, ReversalError, candlesOf, createClient, getMLPrediction, pairOf, timeframeOf };
