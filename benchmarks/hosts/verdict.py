"""The figures of a run, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.system.load import Answer

# The promise: one state everywhere so many seconds after the network or a primary is back.
ONE_STATE_SECONDS = 2.0
_OK = 200
# What a client sees of a request that the balancer gave up: a closed connection, or an error of the balancer.
_GIVEN_UP = (0, 502, 504)
_TIMES = ("begin", "end", "cut", "noticed")

Row = dict[str, Any]


def figures(rows: Iterable[Row], answers: Sequence[Answer], stored: Collection[str]) -> list[Row]:
    """Add the numbers of requests to each event; a request belongs to the event in which it was sent.

    `stored`: the ids of all exposures.
    """
    found = []
    for row in rows:
        sent = [each for each in answers if row["begin"] <= each.sent < row["end"]]
        failed = [each for each in sent if each.status != _OK]
        times = [1000 * (each.came - each.sent) for each in sent]
        kept = {name: value for name, value in row.items() if name not in _TIMES}
        cut = [each for each in failed if _on_cut_connection(each, row)]
        answered = {each.prediction_id for each in sent if each.prediction_id is not None}
        found.append(
            {
                **kept,
                "requests": len(sent),
                "failed": len(failed),
                "on_cut_connections": len(cut),
                "longest_ms": round(max(times, default=0.0), 1),
                "answered_in_experiments": len(answered),
                "recorded": len(answered & set(stored)),
                "examples": sorted({f"{each.status} {each.error}" for each in failed})[:5],
            }
        )
    return found


def counts(answered: Mapping[str, Collection[str]], stored: Mapping[str, Sequence[str]]) -> list[Row]:
    """The exposures of each experiment in the store, beside the answers.

    lost: answered and not stored. twice: stored more than once. unanswered: stored without an answer.
    """
    return [
        {
            "experiment": name,
            "answered": len(set(answered[name])),
            "recorded": len(found),
            "lost": len(set(answered[name]) - set(found)),
            "twice": len(found) - len(set(found)),
            "unanswered": len(set(found) - set(answered[name])),
        }
        for name, found in stored.items()
    ]


def _on_cut_connection(answer: Answer, row: Row) -> bool:
    """Whether a request can have been on a connection to the replica that was cut off.

    That is, it was sent before the balancer stopped to use the replica, and not answered before the cut.
    """
    if "cut" not in row or answer.status not in _GIVEN_UP:
        return False
    return bool(answer.sent <= row["noticed"] and answer.came >= row["cut"])


def wrong(rows: Iterable[Row], experiments: Iterable[Row], clients: int) -> Iterator[str]:
    """Yield what breaks a promise."""
    unanswered = 0
    for row in rows:
        name = row["event"]
        unanswered += row["on_cut_connections"]
        if not row["requests"]:
            yield f"{name}: no request"
        if row["failed"] != row["on_cut_connections"]:
            yield f"{name}: {row['failed']} failed, {row['on_cut_connections']} of them on cut connections"
        # A client waits for its answer, so that it can lose one request each time that a replica vanishes.
        if row["on_cut_connections"] > clients:
            yield f"{name}: {row['on_cut_connections']} failed on cut connections, of {clients} clients"
        if row.get("promised") and row["seconds_until_one_state"] > ONE_STATE_SECONDS:
            yield f"{name}: one state after {row['seconds_until_one_state']} s"
        both = row.get("side_by_side")
        if both is not None and both["equal"] != both["asked"]:
            yield f"{name}: {both['equal']} of {both['asked']} answers are equal"
    for each in experiments:
        if not each["answered"] or each["lost"] or each["twice"]:
            yield f"experiment {each['experiment']}: {each}"
    # Answers that a cut replica could not send are recorded all the same.
    extra = sum(each["unanswered"] for each in experiments)
    if extra > unanswered:
        yield f"{extra} exposures without an answer, {unanswered} requests on cut connections"
