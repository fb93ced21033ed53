// One series of candles in the forms in which providers and drivers give it. Prices are texts where they are there.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const at = (candle) => Date.parse(candle.timestamp);
const text = (value) => String(value);
const pad = (value) => String(value).padStart(2, "0");

/** `YYYY-MM-DD HH:MM:SS` of a clock that is `hours` ahead of UTC. */
function clock(candle, hours = 0, dash = "-") {
  const time = new Date(at(candle) + hours * 60 * MINUTE);
  const date = [time.getUTCFullYear(), pad(time.getUTCMonth() + 1), pad(time.getUTCDate())].join(dash);
  return [date, [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()].map(pad).join(":")];
}

/** @type {Record<string, {make: (candles: object[]) => unknown, options?: object}>} */
export const FORMATS = {
  "the server's own": { make: (candles) => candles },
  "pg, newest first": {
    make: (candles) => candles.map((c) => ({
      id: 1, pair: "EUR/USD", timestamp: new Date(at(c)),
      open: text(c.open), high: text(c.high), low: text(c.low), close: text(c.close), volume: text(c.volume),
    })).reverse(),
  },
  ccxt: { make: (candles) => candles.map((c) => [at(c), c.open, c.high, c.low, c.close, c.volume]) },
  "Binance klines": {
    make: (candles) => candles.map((c) => [
      at(c), text(c.open), text(c.high), text(c.low), text(c.close), text(c.volume), at(c) + 60 * MINUTE - 1, "0", 10, "0", "0", "0",
    ]),
  },
  "Binance klines in microseconds": {
    make: (candles) => candles.map((c) => [
      at(c) * 1e3, text(c.open), text(c.high), text(c.low), text(c.close), text(c.volume), (at(c) + 60 * MINUTE) * 1e3 - 1,
    ]),
  },
  "Twelve Data": {
    make: (candles) => ({
      meta: { symbol: "EUR/USD", interval: "1h", type: "Physical Currency" },
      values: candles.map((c) => ({
        datetime: clock(c).join(" "),
        open: text(c.open), high: text(c.high), low: text(c.low), close: text(c.close), volume: text(c.volume),
      })).reverse(),
      status: "ok",
    }),
  },
  OANDA: {
    make: (candles) => ({
      instrument: "EUR_USD", granularity: "H1",
      candles: candles.map((c) => ({
        complete: true, volume: c.volume, time: c.timestamp.replace("Z", ".000000000Z"),
        mid: { o: text(c.open), h: text(c.high), l: text(c.low), c: text(c.close) },
      })),
    }),
  },
  "MetaTrader's export": {
    make: (candles) => candles.map((c) => {
      const [date, time] = clock(c, 2, ".");
      return {
        "<DATE>": date, "<TIME>": time, "<OPEN>": c.open, "<HIGH>": c.high, "<LOW>": c.low, "<CLOSE>": c.close,
        "<TICKVOL>": c.volume, "<VOL>": 0, "<SPREAD>": 2,
      };
    }),
    options: { timezone: "Europe/Athens" },
  },
  "yfinance, columns": {
    make: (candles) => {
      const column = (name) => Object.fromEntries(candles.map((c) => [at(c), c[name]]));
      return {
        Open: column("open"), High: column("high"), Low: column("low"), Close: column("close"), "Adj Close": column("close"),
        Volume: column("volume"),
      };
    },
  },
  "Yahoo's chart": {
    make: (candles) => ({
      chart: {
        result: [{
          timestamp: candles.map((c) => at(c) / SECOND),
          indicators: { quote: [Object.fromEntries(["open", "high", "low", "close", "volume"].map((n) => [n, candles.map((c) => c[n])]))] },
        }],
        error: null,
      },
    }),
  },
};
