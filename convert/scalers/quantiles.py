"""QuantileTransformer in float64, for both distributions.

skl2onnx converts only the uniform one, in a time that doubles with each bit of the number of quantiles: 2 s for ten,
and not within 15 s for a hundred. scikit-learn fits a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing._data import BOUNDS_THRESHOLD

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers.part import Estimator, Floats, Part, Spread
from core.bundles.limits import LARGEST, Limits, clipped, of_deviations, of_range

# The smallest probability whose normal quantile scikit-learn gives; those beyond are clipped.
_LEAST = float(BOUNDS_THRESHOLD - np.spacing(1))

# Algorithm AS 241, PPND16: M. J. Wichura, The percentage points of the normal distribution, Applied Statistics 37
# (1988). The coefficients of the numerators and denominators, from the constant to the seventh power: for the centre,
# |p - 0.5| <= 0.425, in 0.425^2 - (p - 0.5)^2, and for the tails in sqrt(-log(min(p, 1 - p))) - 1.6. Its third pair is
# for p below 1.4e-11.
_CENTRE, _TAIL = 0.425, 1.6
_CENTRE_ABOVE = (
    *(3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125),
    *(45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
)
_CENTRE_BELOW = (
    *(1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077),
    *(21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)
_TAIL_ABOVE = (
    *(1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504),
    *(1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 0.000774545014278341407640),
)
_TAIL_BELOW = (
    *(1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550),
    *(0.148103976427480074590, 0.0151986665636164571966, 0.000547593808499534494600, 1.05075007164441684324e-9),
)


class Quantiles(Part):
    """A QuantileTransformer: the share of the fitted values below a value, or the normal quantile of that share.

    scikit-learn interpolates from both sides and takes the mean, which differ only at a repeated quantile. Here each
    feature has its distinct quantiles: at one of them the mean of its shares, behind it a line to the next.
    """

    ways = frozenset({"own graph"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        quantiles, references = np.asarray(estimator.quantiles_), np.asarray(estimator.references_)
        if references.ndim != 1 or len(references) < 1 or quantiles.shape != (len(references), width):
            raise Refused(
                f"quantiles_ of shape {quantiles.shape} for references_ of shape {references.shape} are not the result "
                f"of a fit on {width} features"
            )
        self._quantiles: Floats = quantiles.astype(np.float64)
        self._references: Floats = references.astype(np.float64)
        # Releases before 0.24 could write quantiles that decrease by rounding. What scikit-learn interpolates from
        # these depends on the values before.
        if not np.isfinite(self._quantiles).all() or (np.diff(self._quantiles, axis=0) < 0.0).any():
            raise Refused("quantiles_ that are not finite or decrease cannot be converted; fit it with scikit-learn 1")
        if not np.isfinite(self._references).all() or (np.diff(self._references) < 0.0).any():
            raise Refused("references_ that are not finite or decrease are not the result of a fit")
        if estimator.output_distribution not in ("uniform", "normal"):
            raise Refused(f"the output_distribution {estimator.output_distribution!r}; known: uniform, normal")
        self._normal = estimator.output_distribution == "normal"

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        scope = next(scopes)

        def add(op: str, *inputs: str) -> str:
            return graph.value(op, scope, *inputs)

        def number(name: str, value: NDArray[np.float64] | float) -> str:
            return graph.constant(f"{scope}/{name}", np.asarray(value, np.float64))

        knots, values, starts, slopes = self._tables()
        table = number("knots", knots.ravel())
        place = self._search(graph, scope, x, table, knots.shape[1])
        knot = add("Gather", table, place)
        line = add("Mul", add("Gather", number("slopes", slopes.ravel()), place), add("Sub", x, knot))
        line = add("Add", add("Gather", number("starts", starts.ravel()), place), line)
        share = add("Where", add("Equal", x, knot), add("Gather", number("values", values.ravel()), place), line)
        share = add("Where", add("Less", x, number("first", self._quantiles[0])), number("zero", 0.0), share)
        if not self._normal:
            return share
        bound = number("bound", BOUNDS_THRESHOLD)
        above = add("Greater", add("Add", x, bound), number("last", self._quantiles[-1]))
        below = add("Less", add("Sub", x, bound), number("first", self._quantiles[0]))
        share = add("Where", below, number("zero", 0.0), add("Where", above, number("one", 1.0), share))
        share = add("Clip", share, number("least", _LEAST), number("most", 1.0 - _LEAST))
        return _normal_quantile(graph, scope, share)

    def _tables(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Of each feature's distinct quantiles: themselves, the share at each, and start and slope of the line behind.

        Each of shape (width, a power of two); the quantiles are filled up with infinity, which no value reaches.
        """
        columns = [_distinct(column, self._references) for column in self._quantiles.T]
        size = 1 << max(0, max(len(column[0]) for column in columns) - 1).bit_length()
        tables = [np.full((self.width, size), fill) for fill in (np.inf, 0.0, 0.0, 0.0)]
        for i, column in enumerate(columns):
            for table, of_feature in zip(tables, column, strict=True):
                table[i, : len(of_feature)] = of_feature
        return tables[0], tables[1], tables[2], tables[3]

    def _search(self, graph: GraphBuilder, scope: str, x: str, table: str, size: int) -> str:
        """The place in the table of the last quantile that is not above x, or of the first: a binary search."""
        place = graph.constant(f"{scope}/places", size * np.arange(self.width))
        step = size // 2
        while step:
            further = graph.value("Add", scope, place, graph.constant(f"{scope}/step{step}", np.asarray(step)))
            reached = graph.value("LessOrEqual", scope, graph.value("Gather", scope, table, further), x)
            place = graph.value("Where", scope, reached, further, place)
            step //= 2
        return place

    def origin(self, spread: Spread) -> Spread:  # noqa: ARG002
        """Where the fitted values lie, which says more than the spread behind."""
        low, centre, high = (
            np.array([np.interp(share, self._references, column) for column in self._quantiles.T])
            for share in (0.16, 0.5, 0.84)
        )
        width = self._quantiles[-1] - self._quantiles[0]
        scale = np.where(high > low, 0.5 * (high - low), width)
        return Spread(centre, np.where(scale > 0.0, scale, np.maximum(np.abs(centre), 1.0)))

    def limits(self, training: Limits | None) -> Limits | None:
        """See Part."""
        constant = (self._quantiles[0] == self._quantiles[-1]).tolist()
        if not self._normal:
            found = of_range(self.width, 0.0, 1.0) if training is None else training
            return clipped(found, 0.0, 1.0, constant)
        if training is not None:
            return training
        found = of_deviations((0.0,) * self.width)
        # A feature with one value in training is clipped at an end of the range.
        low = tuple(-LARGEST if fixed else mean for fixed, mean in zip(constant, found.mean_low or (), strict=True))
        high = tuple(LARGEST if fixed else mean for fixed, mean in zip(constant, found.mean_high or (), strict=True))
        return msgspec.structs.replace(found, mean_low=low, mean_high=high)

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        found: Floats = self._estimator.transform(rows)
        return found


def _distinct(quantiles: Floats, references: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    knots, first, counts = np.unique(quantiles, return_index=True, return_counts=True)
    low, high = references[first], references[first + counts - 1]
    values = 0.5 * (low + high)
    values[-1] = 1.0  # scikit-learn sets both ends, the lower one last
    values[0] = 0.0
    with np.errstate(over="ignore"):
        slopes = np.append((low[1:] - high[:-1]) / np.diff(knots), 0.0)
    # Between the closest two numbers there is none, so no value is on that line.
    return knots, values, high, np.where(np.isfinite(slopes), slopes, 0.0)


def _normal_quantile(graph: GraphBuilder, scope: str, p: str) -> str:
    """The value below which a standard normal variable lies with probability p, 1.4e-11 < p < 1 - 1.4e-11."""

    def add(op: str, *inputs: str) -> str:
        return graph.value(op, scope, *inputs)

    def number(name: str, value: object) -> str:
        return graph.constant(f"{scope}/{name}", np.asarray(value, np.float64))

    last = graph.constant(f"{scope}/axis", np.asarray([-1]))
    q = add("Sub", p, number("half", 0.5))
    near = add("Sub", number("centre_squared", _CENTRE**2), add("Mul", q, q))
    least = add("Min", p, add("Sub", number("one", 1.0), p))
    far = add("Sub", add("Sqrt", add("Neg", add("Log", least))), number("tail", _TAIL))
    near, far = add("Unsqueeze", near, last), add("Unsqueeze", far, last)
    # All four polynomials at once, on a last axis of four.
    r = graph.value("Concat", scope, near, far, near, far, axis=-1)
    rows = np.array([_CENTRE_ABOVE, _TAIL_ABOVE, _CENTRE_BELOW, _TAIL_BELOW]).T
    found = number("power7", rows[7])
    for power in range(6, -1, -1):
        found = add("Add", add("Mul", found, r), number(f"power{power}", rows[power]))
    above, below = graph.node("Split", scope, [found], 2, axis=-1)
    centre, tail = graph.node("Split", scope, [add("Div", above, below)], 2, axis=-1)
    centre = add("Mul", q, add("Squeeze", centre, last))
    tail = add("Mul", add("Sign", q), add("Squeeze", tail, last))
    within = add("LessOrEqual", add("Abs", q), number("centre", _CENTRE))
    return add("Where", within, centre, tail)
