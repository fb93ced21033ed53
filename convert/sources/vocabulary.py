"""The names of a feature list, checked against the features that the server computes."""

from __future__ import annotations

from convert.errors import Refused
from convert.sources.feature_names import mapping, nearest
from core.bundles.manifest import Inputs, ManifestError, check_features
from core.features import catalogue

# An error names at most this many features.
_NAMED = 8


def check(names: tuple[str, ...], file: str, inputs: Inputs) -> None:
    """Raise Refused for names that the version cannot have: all those that are unknown at once, each with the nearest.

    A version with the inputs `features` may have any names.
    """
    unknown = [] if inputs == "features" else [name for name in dict.fromkeys(names) if not catalogue.is_known(name)]
    if unknown:
        raise Refused.at(file, _refusal(unknown))
    try:
        check_features(names, file, inputs)
    except ManifestError as error:
        raise Refused(str(error)) from None


def _refusal(unknown: list[str]) -> str:
    shown = ", ".join(_with_nearest(name) for name in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    ours, example = next(iter(mapping(unknown).items()), ("close", unknown[0]))
    return (
        f"the server cannot compute {shown}{more} from candles (docs/indicators.md has all names). If it is one of"
        f' these features under another name, map it: {{"features": {{"{ours}": "{example:.40}", ...}}}}. If'
        ' not, set inputs = "features" for the version in versions.toml; it then takes ready-made features only, no'
        " candles"
    )


def _with_nearest(name: str) -> str:
    near = nearest(name)
    return f"{name[:40]!r} (nearest: {near})" if near else f"{name[:40]!r}"
