"""The tables of the lab's pages, by the names that stand in the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

# A file of results, as read from JSON.
Result: TypeAlias = Mapping[str, Any]
Cells: TypeAlias = Sequence[object]


def markdown(headings: Cells, rows: Iterable[Cells]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def interval(scored: Sequence[float]) -> str:
    """A score with its interval."""
    value, low, high = scored
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def difference(scored: Sequence[float]) -> str:
    """A difference with its interval."""
    value, low, high = scored
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def _worst(pairs: Mapping[str, float]) -> str:
    name = min(pairs, key=pairs.__getitem__)
    return f"{pairs[name]:.4f} ({name})"


def _what(values: Mapping[str, Any]) -> str:
    """A candidate in words."""
    parts = [f"`{values['features']}`"]
    network, trees = values.get("network"), values.get("trees")
    if network is not None:
        kind, depth, width, window = (network[key] for key in ("kind", "depth", "width", "window"))
        parts.append(f"{kind} {depth} x {width}, {window} bars, batch {network['batch_size']}")
    if trees is not None:
        parts.append(f"{trees['trees']} trees of {trees['leaves']} leaves, {trees['window']} bars")
    return "; ".join(parts)


def complete(search: Result, kind: str | None = None) -> list[dict[str, Any]]:
    """The complete trials, the best first."""
    found = [each for each in search["trials"] if each["state"] == "complete" and kind in {None, each["kind"]}]
    return sorted(found, key=lambda each: -float(each["value"]))


def _kinds(search: Result) -> str:
    rows = []
    for kind in dict.fromkeys(each["kind"] for each in search["trials"]):
        own, done = [each for each in search["trials"] if each["kind"] == kind], complete(search, kind)
        late = sum(each.get("why") == "time" for each in own)
        seconds = sum(each["cpu_seconds"] for each in own)
        best = done[0] if done else None
        served = next((each for each in done if each["required_candles"] <= 100), None)  # noqa: PLR2004 - those sent
        rows.append(
            [
                *(kind, len(own), len(done), len(own) - len(done) - late, late),
                *(
                    ("", "", "")
                    if best is None
                    else (f"{best['value']:.4f}", _what(best["candidate"]), best["required_candles"])
                ),
                "" if served is None else f"{served['value']:.4f}",
                f"{seconds:,.0f}",
            ]
        )
    headings = ["kind", "trials", "complete", "behind the median", "out of time", "best AUC", "with", "candles"]
    return markdown([*headings, "best within 100 candles", "CPU s"], rows)


def _trials(search: Result) -> str:
    rows = []
    for number, each in enumerate(search["trials"], start=1):
        pruned = each["state"] != "complete"
        state = {"time": "out of time", "median": "behind the median"}[each["why"]] if pruned else "complete"
        value = f"({each['parts'][-1]:.4f})" if pruned else f"{each['value']:.4f}"
        folds = ", ".join(f"{fold:.3f}" for fold in each.get("folds", ()))
        rows.append([number, each["kind"], value, folds, state, _what(each["candidate"]), each["required_candles"]])
    return markdown(["", "kind", "AUC", "folds", "state", "candidate", "candles"], rows)


def _baselines(search: Result) -> str:
    names = list(search["baselines"][0]["scores"]) if search["baselines"] else []
    rows = [
        [
            f"`{each['params']['key']}`",
            f"{each['accuracy_of_majority']:.3f}",
            *(f"{each['scores'][name]:.4f}" for name in names),
        ]
        for each in search["baselines"]
    ]
    return markdown(["features", "accuracy of the majority", *names], rows)


def _labels(search: Result) -> str:
    names = list(search["labels"][0]["scores"]) if search["labels"] else []
    ranked = sorted(search["labels"], key=lambda each: -float(each["value"]))
    rows = [
        [
            f"`{each['params']['key']}`",
            *(f"{each['base_rate']:.3f}", f"{each['auc']:.4f}"),
            *(f"{each['scores'][name]:.4f}" for name in names),
            f"{each['value']:+.4f}",
        ]
        for each in ranked
    ]
    return markdown(["label", "base rate", "TCN", *names, "TCN above the better one"], rows)


def _made(search: Result) -> str:
    trials, made = search["trials"], search["made_with"]
    done = len(complete(search))
    libraries = ", ".join(f"{name} {version}" for name, version in made["libraries"].items())
    return (
        f"{len(trials)} trials, of which {done} are complete and {len(trials) - done} were pruned, on\n"
        f"{', '.join(search['pairs'])}, scored in the years {' and '.join(map(str, search['folds']))}. One bar in\n"
        f"{search['trained_every']} is trained on, one in {search['scored_every']} is scored. A training has\n"
        f"{search['parts']} parts: epochs, or equal shares of the trees. A trial ends after\n"
        f"{search['seconds_a_trial']:.0f} s of CPU. Seed {made['seed']}, {made['cores']} cores,\n"
        f"Python {made['python']}, {libraries}.\n"
    )


def _detectors(compared: Result) -> str:
    above = ("boosting, last bar", "boosting, window")
    rows = [
        [
            each["name"],
            " and ".join(_what(one) for one in each["candidates"]),
            each["required_candles"],
            interval(each["auc"]),
            _worst(each["pairs"]),
            f"{each['ece']:.4f}",
            *(difference(each["baselines"][name]) for name in above),
        ]
        for each in sorted(compared["detectors"], key=lambda each: -float(each["auc"][0]))
    ]
    headings = ["detector", "with", "candles", "AUC", "worst pair", "ECE", *(f"above {name}" for name in above)]
    return markdown(headings, rows)


def _means(compared: Result) -> str:
    rows = [
        [each["name"], interval(each["auc"]), *(difference(scored) for scored in each["members"].values())]
        for each in compared["detectors"]
        if "members" in each
    ]
    return markdown(["mean", "AUC", "above the network", "above the trees"], rows)


def _against_tcn(compared: Result) -> str:
    rows = [
        [each["name"], interval(each["auc"]), difference(each["against_tcn"])]
        for each in compared["detectors"]
        if "against_tcn" in each
    ]
    return markdown(["best of", "AUC", "above the best TCN"], rows)


def _compared_baselines(compared: Result) -> str:
    rows = [[f"`{each['features']}`", each["name"], interval(each["auc"])] for each in compared["baselines"]]
    return markdown(["features", "baseline", "AUC"], rows)


def _years(walked: Result) -> str:
    names = list(walked["years"][0]["baselines"])
    rows = [
        [
            *(each["year"], f"{each['trained']:,}", f"{each['scored']:,}", f"{each['base_rate']:.3f}"),
            *(f"{each['accuracy_of_majority']:.3f}", interval(each["auc"]), _worst(each["pairs"])),
            *(f"{each['ece']:.4f}", f"{each['ece_tempered']:.4f}"),
        ]
        for each in walked["years"]
    ]
    headings = ["year", "trained", "scored", "base rate", "accuracy of the majority", "AUC", "worst pair"]
    above = [
        [each["year"], *(difference(each["baselines"][name]["better_by"]) for name in names)]
        for each in walked["years"]
    ]
    second = markdown(["above", *names], above)
    return f"{markdown([*headings, 'ECE', 'ECE, tempered'], rows)}\n{second}"


def _pairs(walked: Result) -> str:
    years = walked["years"]
    rows = [[pair, *(f"{each['pairs'][pair]:.4f}" for each in years)] for pair in years[0]["pairs"]]
    return markdown(["pair", *(each["year"] for each in years)], rows)


# By the name in a page: the file of results, and the table that is made from it.
TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "search.made": ("search", _made),
    "search.kinds": ("search", _kinds),
    "search.trials": ("search", _trials),
    "search.baselines": ("search", _baselines),
    "search.labels": ("search", _labels),
    "compare.detectors": ("compare", _detectors),
    "compare.means": ("compare", _means),
    "compare.tcn": ("compare", _against_tcn),
    "compare.baselines": ("compare", _compared_baselines),
    "walk.years": ("walk_forward", _years),
    "walk.pairs": ("walk_forward", _pairs),
}
