"use strict";

const { candlesOf } = require("./candles.cjs");
const { ReversalClient, createClient } = require("./client.cjs");
const { CODES, ReversalError } = require("./errors.cjs");
const { getMLPrediction } = require("./drop_in.cjs");
const { pairOf, timeframeOf } = require("./names.cjs");

// Node reads these names from the text of this line for `import`, so each is written out.
module.exports = { CODES, ReversalClient, ReversalError, candlesOf, createClient, getMLPrediction, pairOf, timeframeOf };
