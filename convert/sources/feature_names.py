"""The nearest of our feature names for a name in a user's files, such as `SMA_5`, `Close` or `moving_avg_5`.

A name says little about a formula: the results are offers for a user to check against docs/indicators.md, and nothing
is converted with them unasked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from core.features.catalogue import FIXED, UnknownFeature, feature

# Words without meaning for the choice.
_FILLING = frozenset({"price", "value", "indicator", "line", "band", "bands", "period", "periods"})
# A unit behind a number, as in `ma_20d`.
_UNIT = re.compile(r"(?<=\d)[\s_-]*(?:days?|d|bars?|hours?|h|periods?)(?![a-z])")
_BOLLINGER = re.compile(r"bollinger|bbands?|boll(?![a-z])")
# The groups of the library `ta`, which begin its names: `trend_adx`, `momentum_rsi`.
_GROUPS = frozenset({"momentum", "trend", "volatility"})
# Words that make another feature of a name: `close_lag_1` is not close, and `volume_ema_20` not volume_sma_20.
_OTHER = re.compile(r"lag|prev|next|shift|diff|change|delta|slope|norm|score|ratio|ema|wma|target|label|pct|log")
# The similarity at which a name counts as misspelt, from 0 to 1, and the letters that such a name has at least.
_SIMILAR, _LETTERS = 0.85, 5

_BANDS = ((), (20,), (20, 2), (20, 2, 0))
_MACD = ((), (12, 26), (12, 26, 9))


class _Alias(NamedTuple):
    """Other names of a feature: their letters, and the numbers that they may have."""

    letters: str
    numbers: tuple[tuple[int, ...], ...] = ((),)


_FIXED = {
    "open": _Alias("open o opening"),
    "high": _Alias("high h"),
    "low": _Alias("low l"),
    "close": _Alias("close c closing adjclose last"),
    "volume": _Alias("volume vol v tickvolume"),
    "returns": _Alias("returns return ret rets dailyreturn dailyreturns simplereturns pctchange", ((), (1,))),
    "log_returns": _Alias("logreturns logreturn logret logrets", ((), (1,))),
    "macd": _Alias("macd", _MACD),
    "macd_signal": _Alias("macdsignal macds macdsig signalmacd signal", _MACD),
    "macd_hist": _Alias("macdhist macdh macddiff histmacd", _MACD),
    "macd_histogram": _Alias("macdhistogram", _MACD),
    "bb_middle": _Alias("bbmiddle bbmid bbm middlebb middle", _BANDS),
    "bb_upper": _Alias("bbupper bbup bbu bbhigh bbh upperbb upper", _BANDS),
    "bb_lower": _Alias("bblower bblow bbl lowerbb lower", _BANDS),
    "bb_width": _Alias("bbwidth widthbb", _BANDS),
    "atr_14": _Alias("atr atrr averagetruerange", ((), (14,))),
    "stoch_k": _Alias("stochk stochastick slowk k stoch stochastic", ((), (14,), (14, 3), (14, 3, 3))),
    "stoch_d": _Alias("stochd stochasticd slowd d stochsignal", ((), (3,), (14,), (14, 3), (14, 3, 3))),
    "adx_14": _Alias("adx averagedirectionalindex", ((), (14,))),
    "volume_sma_20": _Alias(
        "volumesma volumema volsma volma smavolume mavolume avgvolume averagevolume volumeavg volumemean", ((), (20,))
    ),
    "volume_ratio": _Alias("volumeratio volratio relativevolume rvol", ((), (20,))),
    "hour": _Alias("hour hourofday"),
    "weekday": _Alias("weekday dayofweek dow"),
    "hour_sin": _Alias("hoursin sinhour hourofdaysin"),
    "hour_cos": _Alias("hourcos coshour hourofdaycos"),
}
_FAMILIES = {
    "sma": "sma ma movingaverage movingavg simplemovingaverage simplema rollingmean closesma closema smaclose maclose",
    "ema": "ema ewma exponentialmovingaverage exponentialmovingavg expma closeema emaclose",
    "rsi": "rsi relativestrengthindex",
    "momentum": "momentum",
    "volatility": "volatility",
    "atr": "atr atrr averagetruerange",
    "stoch_k": "stochk stochastick",
    "efficiency": "efficiency efficiencyratio kaufmanefficiency",
}
_FIXED_OF = {letters: name for name, alias in _FIXED.items() for letters in alias.letters.split()}
_FAMILY_OF = {letters: family for family, aliases in _FAMILIES.items() for letters in aliases.split()}
_DEFAULTS = {"rsi": 14}  # the period that is meant without a number


def nearest(name: str) -> str | None:
    """Return our name that a user's name most likely stands for, itself if it is one of ours; None if none is near."""
    if _is_ours(name):
        return name
    text = _BOLLINGER.sub("bb", _UNIT.sub(" ", name.strip().lower()))
    words = [word for word in re.findall(r"[a-z]+", text) if word not in _FILLING]
    numbers = tuple(int(digits) for digits in re.findall(r"[0-9]+", text[:200]) if len(digits) < 5)  # noqa: PLR2004
    found = _known("".join(words), numbers)
    if found is None and len(words) > 1 and words[0] in _GROUPS:
        found = _known("".join(words[1:]), numbers)
    return _misspelt("".join(words), numbers) if found is None else found


def mapping(names: Sequence[str]) -> dict[str, str]:
    """Return the nearest of our names for each of the user's names, in their order: ours to the user's.

    Names without a near one are left out, and so is a name whose nearest another name already has; names that are
    equal to one of ours come before names that resemble it.
    """
    ours = {name: name for name in names if _is_ours(name)}
    for name in names:
        near = nearest(name)
        if near is not None:
            ours.setdefault(near, name)
    return {near: name for name in names for near in (nearest(name),) if near is not None and ours[near] == name}


def _is_ours(name: str) -> bool:
    try:
        feature(name)
    except UnknownFeature:
        return False
    return True


def _known(letters: str, numbers: tuple[int, ...]) -> str | None:
    fixed = _FIXED_OF.get(letters)
    if fixed is not None and numbers in _FIXED[fixed].numbers:
        # Both names of a band give it over 20 candles, but the widths have two definitions.
        return f"{fixed}_20" if numbers and f"{fixed}_20" in FIXED else fixed
    family = _FAMILY_OF.get(letters)
    if family is None or len(numbers) > 1 or not (numbers or family in _DEFAULTS):
        return None
    found = f"{family}_{numbers[0] if numbers else _DEFAULTS[family]}"
    return found if _is_ours(found) else None


def _misspelt(letters: str, numbers: tuple[int, ...]) -> str | None:
    if len(letters) < _LETTERS or _OTHER.search(letters):
        return None
    for near in get_close_matches(letters[:100], (*_FIXED_OF, *_FAMILY_OF), 1, _SIMILAR):
        return _known(near, numbers)
    return None
