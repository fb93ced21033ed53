"""Counts without a candle: the totals of each variant, the same by the minute, and what was beside an experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from core.experiments.candle_table import BesideTotals
from core.experiments.experiment import Micros, Variant
from core.experiments.records import Beside, Failure, Refusal, Unrecorded
from core.statistics.guardrails import BUSY_REQUESTS
from core.store.drivers.database import Connection

_MINUTE: Micros = 60_000_000
_TOTALS = ("fallbacks", "failures", "refused", "slow", "unrecorded", "late")
# The counts of a minute. `requests` is the sum of answers, failures and refusals.
_OF_MINUTES = ("requests", "fallbacks", "failures", "refused", "slow")


def _adding(table: str, key: tuple[str, ...], counts: tuple[str, ...]) -> str:
    """The statement that adds counts to the row of a key, which is created if it is missing."""
    return (
        f"INSERT INTO {table} ({', '.join((*key, *counts))}) VALUES ({', '.join('?' * (len(key) + len(counts)))}) "  # noqa: S608 - constant names
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET "
        f"{', '.join(f'{name} = {table}.{name} + excluded.{name}' for name in counts)}"
    )


_ADD_TOTALS = _adding("totals", ("experiment_id", "variant"), _TOTALS)
_ADD_MINUTES = _adding("minutes", ("experiment_id", "variant", "minute"), _OF_MINUTES)
_ADD_BESIDE = _adding("beside", ("experiment_id", "reason"), ("requests",))


class Totals:
    """Amounts to add to the rows of totals, minutes and beside."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, Variant], list[int]] = {}
        self._minutes: dict[tuple[str, Variant, int], list[int]] = {}
        self._beside: Counter[tuple[str, str]] = Counter()

    def answers(
        self, experiment_id: str, variant: Variant, times: Sequence[Micros], *, fallback: bool, slow: bool
    ) -> None:
        """Count answers that were given at these times."""
        if fallback or slow:
            amounts = {"fallbacks": len(times) * fallback, "slow": len(times) * slow}
            self._add((experiment_id, variant), amounts)
        first, last = min(times) // _MINUTE, max(times) // _MINUTE
        counts = {first: len(times)} if first == last else Counter([at // _MINUTE for at in times])
        for minute, count in counts.items():
            row = self._row_of((experiment_id, variant, minute))
            for name, amount in (("requests", count), ("fallbacks", count * fallback), ("slow", count * slow)):
                row[_OF_MINUTES.index(name)] += amount

    def request(self, record: Failure | Refusal, **amounts: int) -> None:
        """Count a request of a variant, with amounts by the names of columns."""
        self._add((record.experiment_id, record.variant), amounts)
        row = self._row_of((record.experiment_id, record.variant, record.at // _MINUTE))
        row[0] += 1
        for name, amount in amounts.items():
            row[_OF_MINUTES.index(name)] += amount

    def unrecorded(self, record: Unrecorded) -> None:
        """Count dropped exposures. They have no minute."""
        self._add((record.experiment_id, record.variant), {"unrecorded": record.count})

    def late(self, experiment_id: str, variant: Variant) -> None:
        """Count an outcome that came after the experiment had stopped."""
        self._add((experiment_id, variant), {"late": 1})

    def beside(self, record: Beside) -> None:
        """Count predictions beside an experiment."""
        self._beside[record.experiment_id, record.reason] += record.count

    def write(self, connection: Connection) -> None:
        """Add the amounts to the stored rows."""
        connection.run_many(_ADD_TOTALS, [(*key, *row) for key, row in self._totals.items()])
        connection.run_many(_ADD_MINUTES, [(*key, *row) for key, row in self._minutes.items()])
        connection.run_many(_ADD_BESIDE, [(*key, count) for key, count in sorted(self._beside.items())])

    def _row_of(self, key: tuple[str, Variant, int]) -> list[int]:
        """The counts of a minute."""
        return self._minutes.setdefault(key, [0] * len(_OF_MINUTES))

    def _add(self, key: tuple[str, Variant], amounts: Mapping[str, int]) -> None:
        row = self._totals.setdefault(key, [0] * len(_TOTALS))
        for name, amount in amounts.items():
            row[_TOTALS.index(name)] += amount


def read_totals(connection: Connection, experiment_id: str) -> dict[Variant, dict[str, int]]:
    """The totals by variant and name. A variant without a row is missing."""
    rows = connection.rows(f"SELECT variant, {', '.join(_TOTALS)} FROM totals WHERE experiment_id = ?", [experiment_id])  # noqa: S608 - constant names
    return {variant: dict(zip(_TOTALS, counts, strict=True)) for variant, *counts in rows}


# A burst of some seconds has as many requests as the busier one of its minute and the minute before it suggests. Busy
# minutes are selected first, because an experiment of a month has 86,400 rows and most of them are not busy.
_SURPLUS = f"""
    WITH busy AS (
        SELECT variant, minute, requests FROM minutes WHERE experiment_id = ? AND requests > {BUSY_REQUESTS})
    SELECT variant, {", ".join(f"SUM({name} * (1 - {BUSY_REQUESTS}.0 / busiest))" for name in _OF_MINUTES)}
    FROM minutes JOIN (
        SELECT variant, minute, MAX(requests) AS busiest FROM (
            SELECT variant, minute, requests FROM busy
            UNION ALL SELECT variant, minute + 1, requests FROM busy) AS both_minutes
        GROUP BY variant, minute) AS bursts USING (variant, minute)
    WHERE experiment_id = ? GROUP BY variant"""  # noqa: S608 - constant names and numbers


def read_surplus(connection: Connection, experiment_id: str) -> dict[Variant, dict[str, float]]:
    """See core.experiments.candle_table.Tally.surplus. A variant without a busy minute is missing."""
    rows = connection.rows(_SURPLUS, [experiment_id] * 2)
    return {variant: dict(zip(_OF_MINUTES, map(float, sums), strict=True)) for variant, *sums in rows}


def read_beside(connection: Connection, experiment_id: str) -> BesideTotals:
    """See Store.beside."""
    rows = connection.rows("SELECT reason, requests FROM beside WHERE experiment_id = ?", [experiment_id])
    found: dict[str, int] = dict(rows)
    return BesideTotals(*(found.get(reason, 0) for reason in BesideTotals._fields))
