"""PowerTransformer in float64. skl2onnx computes it in float32: NaN, or wrong by 3e-4."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers.part import Estimator, Floats, Part, Spread

_EPS = float(np.finfo(np.float64).eps)
# scipy.special.boxcox takes the logarithm below this.
_BOX_COX_LOG = 1e-19


class Power(Part):
    """The powers of a PowerTransformer, without its standardisation, as SciPy computes them.

    Yeo-Johnson: ((x + 1)^l - 1) / l for x >= 0, and -((1 - x)^(2 - l) - 1) / (2 - l) below, or the logarithm where the
    exponent is 0. Box-Cox: (x^l - 1) / l, or log x. Box-Cox of a value that is not positive is NaN, which the server
    answers with an error; scikit-learn raises one.
    """

    ways = frozenset({"own graph"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        self._lambdas = np.asarray(estimator.lambdas_, np.float64)
        if self._lambdas.shape != (width,) or not np.isfinite(self._lambdas).all():
            raise Refused(f"lambdas_ {self._lambdas.tolist()[:20]} are not the result of a fit on {width} features")
        if estimator.method not in ("yeo-johnson", "box-cox"):
            raise Refused(f"the method {estimator.method!r} of a PowerTransformer; known: yeo-johnson, box-cox")
        self._positive = estimator.method == "box-cox"

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        nodes = _Nodes(graph, next(scopes))
        return self._box_cox(nodes, x) if self._positive else self._yeo_johnson(nodes, x)

    def _yeo_johnson(self, nodes: _Nodes, x: str) -> str:
        above = nodes.add("GreaterOrEqual", x, nodes.number("zero", 0.0))
        upper, lower = self._lambdas, 2.0 - self._lambdas
        logs = nodes.log1p(nodes.add("Abs", x))
        exponents = nodes.add("Where", above, nodes.number("upper", upper), nodes.number("lower", lower))
        powers = nodes.add("Div", nodes.expm1(nodes.add("Mul", exponents, logs)), exponents)
        log_above, log_below = np.abs(upper) < _EPS, np.abs(lower) <= _EPS
        if log_above.any() or log_below.any():
            # ONNX Runtime has no Where for flags.
            of_log = nodes.add(
                "Or",
                nodes.add("And", above, nodes.flags("log_above", log_above)),
                nodes.add("And", nodes.add("Not", above), nodes.flags("log_below", log_below)),
            )
            powers = nodes.add("Where", of_log, logs, powers)
        return nodes.add("Where", above, powers, nodes.add("Neg", powers))

    def _box_cox(self, nodes: _Nodes, x: str) -> str:
        logs = nodes.add("Log", x)
        exponents = nodes.number("exponents", self._lambdas)
        powers = nodes.add("Div", nodes.expm1(nodes.add("Mul", exponents, logs)), exponents)
        of_log = np.abs(self._lambdas) < _BOX_COX_LOG
        if of_log.any():
            powers = nodes.add("Where", nodes.flags("of_log", of_log), logs, powers)
        positive = nodes.add("Greater", x, nodes.number("zero", 0.0))
        return nodes.add("Where", positive, powers, nodes.number("nan", np.nan))

    def origin(self, spread: Spread) -> Spread:
        """See Part."""
        ends = [self._inverse(spread.centre + side * spread.scale) for side in (-1.0, 0.0, 1.0)]
        scale = 0.5 * np.abs(ends[2] - ends[0])
        centre = np.where(np.isfinite(ends[1]), ends[1], float(self._positive))
        usual = np.isfinite(scale) & (scale > 0.0)
        return Spread(centre, np.where(usual, scale, np.maximum(np.abs(centre), 1.0)))

    def _inverse(self, values: Floats) -> Floats:
        """The input for an output; NaN where there is none."""
        with np.errstate(all="ignore"):
            if self._positive:
                return _power_inverse(values, self._lambdas)
            below = 1.0 - _power_inverse(-values, 2.0 - self._lambdas)
            return np.where(values >= 0.0, _power_inverse(values, self._lambdas) - 1.0, below)

    def valid(self, rows: Floats) -> NDArray[np.bool_]:
        """See Part. A power that is infinite is refused by the standardisation of scikit-learn."""
        known = rows > 0.0 if self._positive else super().valid(rows)
        found: NDArray[np.bool_] = known & np.isfinite(self.transform(np.where(known, rows, 1.0)))
        return found

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        standardize, self._estimator.standardize = self._estimator.standardize, False
        try:
            found: Floats = self._estimator.transform(rows)
        finally:
            self._estimator.standardize = standardize
        return found


def _power_inverse(values: Floats, exponents: Floats) -> Floats:
    logs = np.where(exponents == 0.0, values, np.log1p(exponents * values) / np.where(exponents == 0.0, 1.0, exponents))
    return np.exp(logs)


class _Nodes:
    """Nodes of one scope, with the functions that ONNX does not have."""

    def __init__(self, graph: GraphBuilder, scope: str) -> None:
        self._graph, self._scope = graph, scope

    def add(self, op: str, *inputs: str) -> str:
        return self._graph.value(op, self._scope, *inputs)

    def number(self, name: str, value: Floats | float) -> str:
        return self._graph.constant(f"{self._scope}/{name}", np.asarray(value, np.float64))

    def flags(self, name: str, value: NDArray[np.bool_]) -> str:
        return self._graph.constant(f"{self._scope}/{name}", value)

    def log1p(self, x: str) -> str:
        """log(1 + x) without the loss of digits near 0, for x >= 0.

        Formula: W. Kahan's, as in theorem 4 of D. Goldberg, What every computer scientist should know about
        floating-point arithmetic, 1991: log(u) * (x / (u - 1)) with the rounded u = 1 + x.
        """
        one = self.number("one", 1.0)
        u = self.add("Add", x, one)
        rounded = self.add("Sub", u, one)
        exact = self.add("Mul", self.add("Log", u), self.add("Div", x, rounded))
        return self.add("Where", self.add("Equal", rounded, self.number("zero", 0.0)), x, exact)

    def expm1(self, y: str) -> str:
        """exp(y) - 1 without the loss of digits near 0.

        Formula: W. Kahan's, as in section 1.14.1 of N. Higham, Accuracy and Stability of Numerical Algorithms, 2002:
        (u - 1) * (y / log(u)) with the rounded u = exp(y). Far from 0 nothing is lost.
        """
        one = self.number("one", 1.0)
        u = self.add("Exp", y)
        less = self.add("Sub", u, one)
        exact = self.add("Mul", less, self.add("Div", y, self.add("Log", u)))
        near = self.add("Where", self.add("Equal", u, one), y, exact)
        return self.add("Where", self.add("Less", self.add("Abs", y), one), near, less)
