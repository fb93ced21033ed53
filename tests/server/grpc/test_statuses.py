from __future__ import annotations

import grpc
import pytest

from core.errors import InvalidInput, Overloaded, ServiceError
from server.auth.access import RateLimited
from server.grpc.statuses import STATUS, Status
from server.http import errors


def test_every_code_has_a_status() -> None:
    assert STATUS.keys() == errors.STATUS.keys()


def test_only_what_helps_when_it_is_repeated_is_unavailable() -> None:
    """Clients with a retry policy repeat calls with this status."""
    found = {code for code, status in STATUS.items() if status is grpc.StatusCode.UNAVAILABLE}
    assert found == {code for code, status in errors.STATUS.items() if status == 503}


@pytest.mark.parametrize(
    ("error", "metadata"),
    [
        (InvalidInput.at("candles[0]", "must be good"), {}),
        (Overloaded("full", 3), {"retry-after": "3", "grpc-retry-pushback-ms": "3000"}),
        (RateLimited("wrong", 60), {"retry-after": "60"}),
    ],
)
def test_a_failure_tells_its_code_its_request_and_when_to_retry(error: ServiceError, metadata: dict[str, str]) -> None:
    found = Status.of(error, "r-1")
    assert found.text == error.message
    assert dict(found.metadata) == {"x-request-id": "r-1", "reversal-error-code": error.code} | metadata


def test_a_long_text_is_cut_so_that_clients_accept_it() -> None:
    text = Status.of(InvalidInput("€" * 10_000), "r-1").text
    assert (len(text), text[-1]) == (601, "…")
