"""What the fields of requests mean, where their types do not say it."""

from __future__ import annotations

_VERSION = "A version of the models folder."
_USER = (
    "The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal"
    " form. userId is another spelling of user_id."
)
_SPLIT = "A's share of the users. Required in split mode; 0.5 by default in crossover mode; left out in shadow mode."
_MODE = "How the variants are compared: split and crossover assign users, shadow asks both versions."
_METRIC = "What the verdict is about. Default: win_rate."
_WINDOW = "Rows of the stage's features, oldest first."
_TIMEFRAME = "Of the candles. Default: 1h."

# By type and field.
MEANINGS: dict[str, dict[str, str]] = {
    "Candle": {
        "open": "The first price of the period.",
        "high": "The highest price.",
        "low": "The lowest price.",
        "close": "The last price.",
    },
    "CandleColumns": {
        "open": "The first prices of the periods.",
        "high": "The highest prices.",
        "low": "The lowest prices.",
        "close": "The last prices.",
        "volume": "Default: 0 for all.",
        "timestamp": "In the forms of a candle's timestamp. Null: none has one.",
    },
    "StageFeatures": {"stage1": _WINDOW, "stage2": _WINDOW},
    "PredictRequest": {"user_id": _USER, "userId": _USER},
    "ExplainRequest": {"user_id": _USER, "userId": _USER},
    "CompareRequest": {"user_id": _USER, "userId": _USER},
    "BatchRequest": {"items": "Each is a request for one prediction, and has its own result."},
    "CreateExperiment": {
        "experiment_id": "A name that was never used. The assignment of users depends on it.",
        "name": "One line for people.",
        "description": "What it is to find out.",
        "owner": "The person or team to ask about it.",
        "variant_a": _VERSION,
        "variant_b": "Another version of the models folder.",
        "traffic_split": _SPLIT,
        "mode": f"{_MODE} Default: split.",
        "metric": _METRIC,
        "minimum_effect": "The smallest difference of interest. Default: 0.02 of win rate, 0.5 pips of mean P&L.",
        "guardrails": "Limits that stop the experiment. Default: none.",
        "stop_at": "When it is stopped, in the future, in the forms of a candle's timestamp. Default: never.",
    },
    "GuardrailLimits": {
        "max_error_rate": "The largest share of failures and refusals among a variant's requests.",
        "max_fallback_rate": "The largest share of fallbacks among a variant's requests.",
        "max_p99_ms": "The most milliseconds within the service of 99 % of a variant's answers.",
        "min_hold_rate": "The smallest share of candles on which every answer is hold.",
        "max_hold_rate": "The largest share of candles on which every answer is hold.",
        "min_win_rate": "The smallest win rate.",
        "min_mean_pnl": "The smallest mean of reported pips.",
    },
    "SignIn": {"token": "An API token, or an admin token."},
    "PlanExperiment": {
        "mode": _MODE,
        "metric": _METRIC,
        "baseline": "Today's win rate, such as 0.5; for mean_pnl today's mean in pips.",
        "effect": "The difference B - A to be seen, in the unit of baseline. Its sign does not matter.",
        "sd_pips": "The standard deviation of a trade's pips. Required for mean_pnl.",
        "timeframe": _TIMEFRAME,
        "pairs": "How many pairs. Default: 1.",
        "predictions_per_day": "Of all users and pairs together.",
        "trade_share": "The share of predictions that are trades. Default: 0.5.",
        "hold_rate": "The share of predictions that are no trades; instead of trade_share.",
        "users": "How many users. Required for split and crossover.",
        "traffic_split": "A's share of the users. Default: 0.5.",
        "user_sd": "The standard deviation of the users' own win rates, or pips. Default: 0.",
        "disagreement": "For shadow: the share of candles on which the signals differ. Default: 0.6 x trade_share.",
        "correlation": "Between the results of two trades of one variant at one time. Default: 0.5.",
        "overlap": "How many neighbouring candles count as one. Default: 1.",
        "days": "How long to wait: the chance is then told.",
    },
    "Evaluate": {
        "timeframe": _TIMEFRAME,
        "timestamps": "Whether a candle's timestamp is the opening or the closing time of its period. Default: open.",
        "data": "Candles with timestamps, from before the predictions until after their trades.",
        "rule": "profitable_reversals: only trades against the last move; profitable_trades: both directions.",
        "horizon": "The candles that a trade may take, and over which the move before it is measured.",
        "min_profit_pips": "The best excursion within the horizon must reach it.",
        "max_loss_pips": "The worst excursion within the horizon must not exceed it.",
        "min_profit_atr": "As min_profit_pips, in multiples of the candle's atr_14.",
        "max_loss_atr": "As max_loss_pips, in multiples of the candle's atr_14.",
        "min_ratio": "The best excursion must be at least so many times the worst.",
        "replace": "Whether this rule may replace another one, which needs an admin token. Default: false.",
    },
    "AddNote": {"text": "The note, for people."},
    "ReportOutcomes": {"outcomes": "Each has its own result."},
    "ReportedOutcome": {
        "prediction_id": "That of the prediction's answer.",
        "outcome": "How the trade ended.",
        "pnl_pips": "What the trade gained, in pips; negative for a loss.",
        "closed_at": "When the trade was closed, in the forms of a candle's timestamp.",
    },
    "InferBody": {
        "inputs": "Candles with or without timestamps, or windows of one kind.",
        "id": "Any text, which the answer repeats.",
        "parameters": "What is no tensor. Unknown parameters are ignored.",
    },
    "InferInput": {
        "name": "One of the inputs of the metadata, such as candles.",
        "shape": "The batch first, such as [1, 120, 5] for 120 candles.",
        "datatype": "FP32, FP64 or INT64, as the metadata say for this input.",
        "parameters": "For binary data.",
    },
    "InferOutput": {
        "name": "stage1_prob, stage2_prob, signal or confidence.",
        "parameters": "For binary data.",
    },
    "InferParameters": {"user_id": _USER, "userId": _USER},
    "RepositoryParameters": {"config": "Not supported; a request with it is refused."},
    "RepositoryChange": {"parameters": "Which version is meant. Default: a load is of all versions."},
}
