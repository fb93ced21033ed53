"""The pictures of the lab's pages, as SVG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from lab.report.tables import Result

_GREY, _GRID = "#555555", "#dddddd"
_WIDTH = 7.5


def _search(search: Result) -> Figure:
    """The trials of each kind in their order: complete ones as dots, pruned ones as crosses, and the best so far."""
    kinds = list(dict.fromkeys(each["kind"] for each in search["trials"]))
    figure = Figure(figsize=(_WIDTH, 4.2), layout="constrained")
    shown = [each["value"] for each in search["trials"] if each["state"] == "complete"]
    for axes, kind in zip(figure.subplots(2, 3, sharex=True, sharey=True).flat, kinds, strict=False):
        best, line = 0.0, []
        for number, each in enumerate((one for one in search["trials"] if one["kind"] == kind), start=1):
            done = each["state"] == "complete"
            value = each["value"] if done else each["parts"][-1]
            axes.plot(number, value, "o" if done else "x", color="tab:blue" if done else _GREY, markersize=4)
            best = max(best, value if done else 0.0)
            line.append(best or float("nan"))
        axes.step(range(1, len(line) + 1), line, where="post", color="tab:orange", linewidth=1)
        axes.set_title(kind, fontsize=10)
        axes.grid(color=_GRID)
        if shown:
            axes.set_ylim(min(shown) - 0.03, max(shown) + 0.01)
    figure.supxlabel("trial of its kind", fontsize=9)
    figure.supylabel("AUC, mean of the folds", fontsize=9)
    return figure


def _compare(compared: Result) -> Figure:
    """Each detector's AUC with its interval."""
    rows = sorted(compared["detectors"], key=lambda each: float(each["auc"][0]))
    figure = Figure(figsize=(_WIDTH, 0.8 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for y, each in enumerate(rows):
        value, low, high = each["auc"]
        mean = "members" in each or each["name"] == "mean"
        axes.plot([low, high], [y, y], color=_GREY, linewidth=1)
        axes.plot(value, y, "o", color="tab:orange" if mean else "tab:blue", markersize=5)
    axes.set_yticks(range(len(rows)), [each["name"] for each in rows], fontsize=9)
    axes.set_xlabel("AUC, mean of the folds, with the interval of 95 %")
    axes.grid(color=_GRID)
    return figure


def _walk(walked: Result) -> Figure:
    """The AUC of each year with its interval, and the baselines beside it."""
    figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    years = [each["year"] for each in walked["years"]]
    for name in walked["years"][0]["baselines"]:
        values = [each["baselines"][name]["auc"] for each in walked["years"]]
        axes.plot(years, values, "--", marker="x", markersize=4, linewidth=1, label=name)
    for each in walked["years"]:
        value, low, high = each["auc"]
        axes.plot([each["year"]] * 2, [low, high], color=_GREY, linewidth=1)
        axes.plot(
            each["year"], value, "o", color="black", label=walked["detector"] if each["year"] == years[0] else None
        )
    axes.set_xticks(years)
    axes.set_ylabel("AUC")
    axes.legend(fontsize=8, ncols=3)
    axes.grid(color=_GRID)
    return figure


# By the name of the file of results.
PICTURES: dict[str, Callable[[Result], Figure]] = {"search": _search, "compare": _compare, "walk_forward": _walk}


def save(name: str, result: Result, path: Path) -> None:
    """Draw a picture; the same figures give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        PICTURES[name](result).savefig(path, metadata={"Date": None})
