"""The schemas that several answers share, and the envelope of all answers."""

from __future__ import annotations

from core.experiments.experiment import VARIANTS, Variant
from core.features.timeframes import Timeframe
from core.inference.warnings import CODES
from server.api.schemas.json_schema import COUNT, INSTANT, NULL, TEXT, Schema, list_of, one_of, record, ref
from server.http.errors import STATUS

SIGNALS = ["hold", "long", "short"]
SIGNAL = ref("Signal")
SIGNAL_COUNTS = ref("SignalCounts")
WARNINGS, DETAILS = list_of(ref("Warning")), list_of(ref("Detail"))
ERROR: dict[str, Schema] = {"error": TEXT, "code": {"enum": sorted(STATUS)}}


def envelope(data: Schema) -> Schema:
    """The envelope of a success."""
    return record({"success": {"const": True}, "data": data, "error": NULL, "timestamp": INSTANT})


def by_variant(values: Schema) -> Schema:
    """A value for each variant of an experiment."""
    return record(dict.fromkeys(VARIANTS, values))


# The codes of warnings about experiments, in addition to those about candles.
_OF_EXPERIMENTS = ("NO_PREDICTIONS", "OTHER_TIMEFRAME", "DIFFERENT_REQUIRED_CANDLES", "DIFFERENT_INPUTS")

ANSWERS: dict[str, Schema] = {
    "Failure": record({"success": {"const": False}, "data": NULL, **ERROR, "timestamp": INSTANT}, {"details": DETAILS}),
    "Detail": record({"path": TEXT, "message": TEXT}),
    "Warning": record({"code": {"enum": [*CODES, *_OF_EXPERIMENTS]}, "message": TEXT}),
    "Signal": {"enum": SIGNALS},
    "SignalCounts": record(dict.fromkeys(SIGNALS, COUNT)),
    "Timeframe": one_of(Timeframe),
    "Assignment": record({"experiment_id": TEXT, "variant": one_of(Variant)}),
}
