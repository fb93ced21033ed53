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

/** As Sequelize has it: the values are not the object's own. */
class Model {
  #values;

  constructor(values) {
    this.#values = values;
  }

  toJSON() {
    return this.#values;
  }
}

/** @type {Record<string, {make: (candles: object[]) => unknown, options?: object, dropped?: string[], withoutVolume?: true}>} */
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
  "Binance events, the last of them open": {
    make: (candles) => [...candles, candles.at(-1)].map((c, i) => ({
      e: "kline", E: at(c), s: "EURUSDT",
      k: {
        t: at(c), T: at(c) + 60 * MINUTE - 1, s: "EURUSDT", i: "1h", f: 100, L: 200, o: text(c.open), c: text(c.close), h: text(c.high),
        l: text(c.low), v: text(c.volume), n: 100, x: i < candles.length, q: "1.0", V: "0.5", Q: "0.5", B: "0",
      },
    })),
    dropped: ["rows[120]"],
  },
  "Polygon": {
    make: (candles) => ({
      ticker: "C:EURUSD", status: "OK", resultsCount: candles.length,
      results: candles.map((c) => ({ v: c.volume, vw: 1, o: c.open, c: c.close, h: c.high, l: c.low, t: at(c), n: 7 })),
    }),
  },
  "Alpha Vantage, which has no volume": {
    make: (candles) => ({
      "Meta Data": { "1. Information": "FX Intraday (60min) Time Series", "7. Time Zone": "UTC" },
      "Time Series FX (60min)": Object.fromEntries(candles.map((c) => [clock(c).join(" "), {
        "1. open": text(c.open), "2. high": text(c.high), "3. low": text(c.low), "4. close": text(c.close),
      }]).reverse()),
    }),
    withoutVolume: true,
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
  "copy_rates_from of MetaTrader, in seconds of its broker's clock": {
    make: (candles) => candles.map((c) => ({
      time: at(c) / SECOND + 2 * 3_600, open: c.open, high: c.high, low: c.low, close: c.close, tick_volume: c.volume, spread: 2,
      real_volume: 0,
    })),
    options: { timezone: "Europe/Athens" },
  },
  "OANDA in seconds": {
    make: (candles) => ({
      candles: candles.map((c) => ({
        complete: true, volume: c.volume, time: `${at(c) / SECOND}.000000000`, mid: { o: c.open, h: c.high, l: c.low, c: c.close },
      })),
    }),
  },
  "yfinance, rows by time": {
    make: (candles) => Object.fromEntries(candles.map((c) => [new Date(at(c)).toISOString(), {
      Open: c.open, High: c.high, Low: c.low, Close: c.close, Volume: c.volume, Dividends: 0,
    }])),
  },
  "yfinance's download, whose columns name the symbol": {
    make: (candles) => Object.fromEntries(["close", "high", "low", "open", "volume"].map((name) => [
      `('${name[0].toUpperCase()}${name.slice(1)}', 'EURUSD=X')`, Object.fromEntries(candles.map((c) => [at(c), c[name]])),
    ])),
  },
  "yfinance's download, split": {
    make: (candles) => ({
      columns: ["Close", "High", "Low", "Open", "Volume"].map((name) => [name, "EURUSD=X"]),
      index: candles.map(at),
      data: candles.map((c) => [c.close, c.high, c.low, c.open, c.volume]),
    }),
  },
  "models of an ORM": {
    make: (candles) => candles.map((c) => new Model(c)),
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
