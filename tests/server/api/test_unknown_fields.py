"""Fields of newer clients: a server passes over them, but does not create an experiment without what was asked for."""

from __future__ import annotations

import msgspec
import pytest

from server.api.schemas.experiments import AddNote, CreateExperiment, Evaluate, ReportOutcomes
from server.api.schemas.planning import PlanExperiment
from server.api.schemas.predictions import BatchRequest, CompareRequest, PredictRequest

OF_NEWER = b'{"of_a_newer_client": {"more": [1]}}'


def said_of(body: type[msgspec.Struct], text: bytes) -> str:
    """What a decoder says of a body; nothing if the body is as it should be."""
    try:
        msgspec.json.decode(text, type=body)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "body",
    [PredictRequest, BatchRequest, CompareRequest, ReportOutcomes, Evaluate, AddNote],
    ids=lambda body: body.__name__,
)
def test_a_field_of_a_newer_client_is_passed_over(body: type[msgspec.Struct]) -> None:
    assert said_of(body, OF_NEWER) == said_of(body, b"{}")


@pytest.mark.parametrize("body", [CreateExperiment, PlanExperiment], ids=lambda body: body.__name__)
def test_an_experiment_is_not_created_without_what_was_asked_for(body: type[msgspec.Struct]) -> None:
    assert "unknown field `of_a_newer_client`" in said_of(body, OF_NEWER)
