"""The names of a feature list, checked against the features that the server computes."""

from __future__ import annotations

from convert.errors import Refused
from convert.sources import feature_lists
from convert.sources.feature_lists import FeatureList
from convert.sources.feature_names import nearest
from core.bundles.manifest import Inputs, ManifestError, check_features
from core.features import catalogue

# An error names at most this many features.
_NAMED = 8


def check(listed: FeatureList, file: str, inputs: Inputs) -> None:
    """Raise Refused for names that the version cannot have: all those that are unknown at once, each with the nearest.

    The message offers a mapping to ours. A version with the inputs `features` may have any names.
    """
    names = listed.features
    unknown = [] if inputs == "features" else [name for name in dict.fromkeys(names) if not catalogue.is_known(name)]
    if unknown:
        columns = [column if name in unknown else name for name, column in zip(*listed, strict=True)]
        raise Refused.at(file, _refusal(unknown, feature_lists.offer(columns)))
    try:
        check_features(names, file, inputs)
    except ManifestError as error:
        raise Refused(str(error)) from None


def _refusal(unknown: list[str], offered: str | None) -> str:
    shown = ", ".join(_with_nearest(name) for name in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    mapping = offered or f'{{"features": {{"close": "{unknown[0]:.40}", ...}}}}'
    return (
        f"the server cannot compute {shown}{more} from candles (docs/indicators.md has all names). If these have the"
        f' formulas of ours, map them: {mapping}. If not, set inputs = "features" for the version in versions.toml;'
        " it then takes ready-made features only, no candles"
    )


def _with_nearest(name: str) -> str:
    near = nearest(name)
    return f"{name[:40]!r} (nearest: {near})" if near else f"{name[:40]!r}"
