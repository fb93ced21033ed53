"""Parity: a graph is published only if its outputs agree with those of the framework that loaded the file.

Windows are drawn with a fixed seed. The network gets three kinds: standard normal windows (also with masked steps if
the model masks steps); raw values around the scaler's centre and scale, scaled by the scaler graph; and extremes.
Extremes are constant windows, and windows in which one feature is extreme and the others are 0. Random extremes in all
features would prove nothing: sums of large numbers of both signs cancel, and in float32 the framework's own output is
then rounding noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, product
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convert.errors import Refused
from convert.proof.rounding import TOLERANCE, Allowed, Exact, Rounding
from convert.proof.rules import Rule
from convert.scalers.scaler import Scaler
from core.features.candles import Candles
from core.features.catalogue import is_known, matrix, required_candles
from core.features.timeframes import PERIODS
from core.inference import session
from core.inference.stage_runner import TINY

SCALER_TOLERANCE = 1e-6
SUM_TOLERANCE = 1e-4  # of the probabilities of classes; a softmax in float32 is within 1e-6
RANDOM_WINDOWS = 1_000  # of each of the two random kinds
MASKED_WINDOWS = 200  # for each value that the model masks
SCALER_WINDOWS = 50  # at each level
EXTREMES = (10.0, -10.0, 1e6, -1e6)
PRICE_LEVELS = {"price level 1.1": 1.1, "price level 150": 150.0}
VOLUME_LEVEL = 1e9
LEVELS = PRICE_LEVELS | {"volume level 1e9": VOLUME_LEVEL}
# For a model that gives the same output for every window, a wrong graph could not be detected.
MIN_SPREAD = 1e-3
_SEED = 20171231

Floats32: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]


class Reference(Protocol):
    """The model with the right outputs: that of Keras (convert.networks.keras_model), or LightGBM's (convert.trees)."""

    tool: tuple[str, str]
    window: tuple[int, int]
    mask_values: tuple[float, ...]
    mask_axes: tuple[int, ...]  # of a window: 1 if steps are masked, 2 if features are

    def predict(self, windows: Floats32) -> Floats32:
        """Outputs (batch, n) for windows (batch, steps, features)."""
        ...

    def in_float64(self) -> Exact:
        """The same network in float64. Raises Refused if there is none."""
        ...


class GraphSession:
    """A graph in ONNX Runtime, as the server runs it."""

    def __init__(self, graph: bytes) -> None:
        self._session = session.make(graph)
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name

    def run(self, values: Floats | Floats32) -> Floats32:
        """Return the output of the graph for an input."""
        result: Floats32 = self._session.run([self._output], {self._input: values})[0]
        return result


class ServedSession(GraphSession):
    """A graph with what the server adds to every input, for networks that compare inputs with thresholds."""

    def run(self, values: Floats | Floats32) -> Floats32:
        """Return the output of the graph for a window of the server."""
        return super().run(values + TINY)


class _Windows(NamedTuple):
    kind: str
    expected_input: Floats32  # to the framework
    found_input: Floats32  # to the graph: the same windows, but scaled by the scaler graph
    names: list[str] | None = None  # of each window; None if windows are numbered only


def check_network(  # noqa: PLR0913, PLR0917 - the parts of one proof
    reference: Reference,
    network: GraphSession,
    scaler: tuple[Scaler, GraphSession] | None,
    features: tuple[str, ...],
    rule: Rule,
    more: Sequence[tuple[str, Floats32]] = (),
) -> dict[str, Any]:
    """Compare value, shape, dtype and decision on each window. Returns the figures. Raises Refused for a difference.

    more: windows that this kind of model needs beside those of all, with a name for each set.
    The limit at a window is TOLERANCE, or wider where rounding explains it (convert.proof.rounding). Decisions must
    agree if the framework's output is further than that limit from one with another decision.
    """
    rounding = Rounding(reference.predict, reference.in_float64, reference.mask_values)
    count, decisions, largest = 0, 0, 0.0
    lowest, highest = np.array(np.inf), np.array(-np.inf)  # of each value of the answers
    also = (_Windows(kind, drawn, drawn) for kind, drawn in more)
    for windows in chain(_windows(reference, scaler, features), also):
        expected, found = reference.predict(windows.expected_input), network.run(windows.found_input)
        for what, of_reference, of_graph in (
            ("shape", expected.shape, found.shape),
            ("dtype", expected.dtype, found.dtype),
        ):
            if of_reference != of_graph:
                raise Refused.at(windows.kind, f"expected the {what} {of_reference}, got {of_graph}")
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, and NaN is refused below
            difference = np.abs(found.astype(np.float64) - expected)
        limits = rounding.limits(windows.expected_input, expected, difference.max(axis=1))
        wrong = ~(difference <= limits.values[:, None]) | (expected < 0.0) | (expected > 1.0)
        for i, n in np.argwhere(wrong)[:1]:
            _refuse_value(windows, int(i), reference.tool, float(expected[i, n]), float(found[i, n]), limits=limits)
        if expected.shape[1] > 1:
            for i in np.flatnonzero(np.abs(expected.sum(axis=1, dtype=np.float64) - 1.0) > SUM_TOLERANCE)[:1]:
                answer = f"{' '.join(reference.tool)} itself gives {expected[i].tolist()}, which do not sum to 1"
                raise Refused.at(_name(windows, int(i)), answer)
        for i in np.flatnonzero(rule.distances(expected) > limits.values):
            wanted, got = rule.decision(expected[i]), rule.decision(found[i])
            decisions += 1
            if wanted != got:
                raise Refused.at(_name(windows, int(i)), f"expected the decision {wanted}, got {got}")
        count += len(expected)
        largest = max(largest, float(difference.max()))
        lowest, highest = np.minimum(lowest, expected.min(axis=0)), np.maximum(highest, expected.max(axis=0))
    if (highest - lowest).max() < MIN_SPREAD:
        at = int((highest - lowest).argmax())
        raise Refused(
            f"the outputs of the model lie between {lowest[at]:.9g} and {highest[at]:.9g} for all windows, so agreement"
            " proves nothing; train the model further"
        )
    return {
        "windows": count,
        "max_difference": largest,
        "tolerance": TOLERANCE,
        "decisions": decisions,
        "lowest_answer": float(lowest.min()),
        "highest_answer": float(highest.max()),
        **rounding.figures(),
    }


def check_scaler(scaler: Scaler, session: GraphSession, window: tuple[int, int]) -> dict[str, Any]:
    """Compare the scaler's graph with scikit-learn's transform. Returns the figures. Raises Refused for a difference.

    Differences are relative to the size of the output, or to 1 if the output is smaller.
    """
    rng = np.random.default_rng(_SEED)
    noise = rng.standard_normal((SCALER_WINDOWS, *window))
    centre, scale = scaler.centre_and_scale(window[1])
    levels = {"training scale": centre + scale * noise}
    levels |= {kind: level * (1.0 + 0.01 * noise) for kind, level in LEVELS.items()}
    largest = 0.0
    for kind, drawn in levels.items():
        raw = scaler.taken(drawn)
        expected, found = scaler.transform(raw.reshape(-1, window[1])).reshape(raw.shape), session.run(raw)
        if found.dtype != np.float32 or found.shape != raw.shape:
            raise Refused.at(f"scaler, {kind}", f"expected float32 {raw.shape}, got {found.dtype} {found.shape}")
        with np.errstate(invalid="ignore", over="ignore"):  # powers of far values can be beyond float32, as 1e9^5 is
            difference = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
            difference[np.isinf(found) & (found == expected.astype(np.float32))] = 0.0
        for place in np.argwhere(~(difference <= SCALER_TOLERANCE))[:1]:
            at = tuple(int(i) for i in place)
            raise Refused.at(
                f"scaler, {kind}, window {at[0]}, step {at[1]}, feature {at[2]}",
                f"expected {expected[at]:.9g} (scikit-learn), got {found[at]:.9g} from {raw[at]:.17g}: "
                f"relative difference {difference[at]:.2g}, at most {SCALER_TOLERANCE:g} is allowed",
            )
        largest = max(largest, float(difference.max()))
    return {
        "scaler_values": sum(raw.size for raw in levels.values()),
        "scaler_max_difference": largest,
        "scaler_tolerance": SCALER_TOLERANCE,
    }


def can_compute(features: tuple[str, ...]) -> bool:
    """Whether windows of these features can be drawn from candles, which a model without a scaler is proven with."""
    return all(is_known(name) for name in features)


def _windows(
    reference: Reference, scaler: tuple[Scaler, GraphSession] | None, features: tuple[str, ...]
) -> Iterator[_Windows]:
    window = reference.window
    rng = np.random.default_rng(_SEED)
    noise = rng.standard_normal((2, RANDOM_WINDOWS, *window))
    normal = noise[0].astype(np.float32)
    yield _Windows("standard normal", normal, normal)
    if scaler is not None:
        centre, scale = scaler[0].centre_and_scale(window[1])
        raw_values = scaler[0].taken(centre + scale * noise[1])
        by_scikit = scaler[0].transform(raw_values.reshape(-1, window[1])).reshape(raw_values.shape).astype(np.float32)
        yield _Windows("training scale", by_scikit, scaler[1].run(raw_values))
    elif not can_compute(features):
        more = noise[1].astype(np.float32)
        yield _Windows("more of standard normal", more, more)
    else:  # the model was trained on raw values, so it gets features of candles
        for kind, level in PRICE_LEVELS.items():
            raw = _of_candles(level, rng, window[0], features).astype(np.float32)
            yield _Windows(kind, raw, raw)
    for value, axis in product(reference.mask_values, reference.mask_axes):
        # Half of the steps are masked on average, so that holes, both ends and whole short windows occur.
        drawn = (MASKED_WINDOWS, window[0], 1) if axis == 1 else (MASKED_WINDOWS, 1, window[1])
        masked = np.where(rng.random(drawn) < 0.5, np.float32(value), normal[:MASKED_WINDOWS])  # noqa: PLR2004
        yield _Windows(f"{'steps' if axis == 1 else 'features'} masked by {value:g}", masked, masked)
    extremes, names = _extremes(window, features)
    yield _Windows("extremes", extremes, extremes, names)


def _of_candles(level: float, rng: np.random.Generator, steps: int, names: tuple[str, ...]) -> Floats:
    """Windows of unscaled features. The random hourly candles start at `level` and move by a thousandth per bar."""
    count = RANDOM_WINDOWS // len(PRICE_LEVELS)
    bars = required_candles(names, steps) + count - 1
    close = level * np.exp(np.cumsum(1e-3 * rng.standard_normal(bars)))
    opened = np.concatenate([[level], close[:-1]])
    wicks = 1.0 + 5e-4 * np.abs(rng.standard_normal((2, bars)))
    high, low = np.maximum(opened, close) * wicks[0], np.minimum(opened, close) / wicks[1]
    volume = VOLUME_LEVEL * np.exp(0.3 * rng.standard_normal(bars))
    hours = [PERIODS["1h"] * bar for bar in range(bars)]
    candles = Candles(np.array((opened, high, low, close, volume)), hours)
    table = matrix(candles, names, count + steps - 1)
    return sliding_window_view(table, steps, axis=0).transpose(0, 2, 1)


def _extremes(window: tuple[int, int], features: tuple[str, ...]) -> tuple[Floats32, list[str]]:
    windows, names = [np.zeros(window, np.float32)], ["all 0"]
    for value in EXTREMES:
        windows.append(np.full(window, value, np.float32))
        names.append(f"all {value:g}")
        for i, feature in enumerate(features):
            windows.append(np.zeros(window, np.float32))
            windows[-1][:, i] = value
            names.append(f"{feature} {value:g}, the others 0")
    return np.stack(windows), names


def _name(windows: _Windows, i: int) -> str:
    return f"{windows.kind}, window {i}" + (f" ({windows.names[i]})" if windows.names else "")


def _refuse_value(  # noqa: PLR0913 - what the message says
    windows: _Windows, i: int, tool: tuple[str, str], expected: float, found: float, *, limits: Allowed
) -> None:
    name = _name(windows, i)
    if np.isnan(expected):
        raise Refused.at(
            name,
            f"{' '.join(tool)} itself gives NaN: a layer overflows or divides by 0; no window may have such an answer",
        )
    if not 0.0 <= expected <= 1.0:
        raise Refused.at(name, f"{' '.join(tool)} itself gives {expected:.9g}, which is not a probability from 0 to 1")
    raise Refused.at(
        name,
        f"expected {expected:.9g} ({' '.join(tool)}), got {found:.9g}: "
        f"difference {abs(found - expected):.2g}, at most {limits.values[i]:.2g} is allowed{limits.about(i)}",
    )
