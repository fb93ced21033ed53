from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reports.page.rounding import decimals, half_width, rounded


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (52.13841, 3.4, "52.1"),
        (0.5213841, 0.034, "0.521"),
        (52.13841, 0.34, "52.14"),
        (52.13841, 34.0, "52"),
        (1_234.5, 340.0, "1,230"),
        (12_345.6, 2_000.0, "12,300"),
        (52.13841, 9.94, "52.1"),
        (52.13841, 9.96, "52"),
        (52.13841, 0.0996, "52.14"),
        (-0.04, 3.4, "0.0"),
        (-1.26, 3.4, "\N{MINUS SIGN}1.3"),
        (0.0, 1.0, "0.0"),
        (12.34, None, "12"),
        (0.01234, None, "0.012"),
        (0.0, None, "0"),
        (52.13841, math.inf, "52"),
        (52.13841, 0.0, "52"),
        (1e-300, None, "0." + "0" * 299 + "10"),
    ],
)
def test_a_number_has_two_significant_digits_of_its_half_width(value: float, half: float | None, shown: str) -> None:
    assert rounded(value, half) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1.26, "+1.3"), (-1.26, "\N{MINUS SIGN}1.3"), (0.01, "0.0"), (-0.01, "0.0")]
)
def test_a_signed_number_has_a_plus_unless_it_rounds_to_zero(value: float, shown: str) -> None:
    assert rounded(value, 3.4, signed=True) == shown


@given(half=st.floats(1e-9, 1e9), value=st.floats(-1e6, 1e6))
def test_rounding_changes_a_number_by_at_most_a_twentieth_of_the_half_width(half: float, value: float) -> None:
    places = decimals(half)
    shown = float(rounded(value, half).replace(",", "").replace("\N{MINUS SIGN}", "-"))
    assert abs(shown - value) <= 0.051 * half + 1e-9
    assert 9.9 <= half * 10.0**places <= 99.6


def test_the_half_width_is_the_longer_side() -> None:
    assert half_width(0.02, [0.0, 0.1]) == pytest.approx(0.08)
    assert half_width(0.02, None) is None
