"""Does a real Prometheus answer the dashboard? Runs all its queries and all rules, and draws `docs/dashboard.svg`.

A server with two workers is under load: predictions with and without warnings, batches, mistakes of clients, loads of
versions, and an experiment in shadow mode whose candles are labelled. Prometheus, of Debian's package `prometheus`,
scrapes it once a second with the rules of deploy/. Exits with 1 if an expression is refused, or if a query of the
dashboard has no answer and is not listed with the event that it waits for.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import bodies, monitoring, servers
from benchmarks.load import Connection, closed, message, opened
from benchmarks.machine import BUILD, ROOT, machine, save
from benchmarks.monitoring import PROMETHEUS, Query
from core.experiments.label_rule import LabelRule

PICTURE = ROOT / "docs" / "dashboard.svg"
MISSING = "prometheus is not installed: install Debian's package prometheus, or put its program on the path"
# The queries that a healthy server does not answer, by a part of their text, and what they wait for.
WAITING = {
    "ALERTS{": "an alert that fires",
    "reversal_fallbacks_total": "a version that fails while another one can answer",
}
FIRST_BAR = 4_358  # the bars before it were used in training
CANDLES = 120  # in a request
# v3.1's label rule in training.
RULE = LabelRule(horizon=10, min_profit_pips=6.18063, max_loss_pips=10.30105, min_ratio=1.5)
RATE = 150.0  # predictions a second
COLUMNS = 5
# Long enough that `rate` finds two samples; a range as short as this shows the load as it is.
RATE_INTERVAL = "10s"
STEP = "2s"  # between two points of a line
_START_SECONDS = 30.0
_LONG = re.compile(r"(?<![\w.#])-?\d+\.\d{2,}")


class Series(NamedTuple):
    """One series of an answer. values: pairs of seconds since 1970 and a number that is not NaN."""

    labels: dict[str, str]
    values: list[tuple[float, float]]


class Answer(NamedTuple):
    """The answer to a query of the dashboard."""

    query: Query
    series: list[Series]

    @property
    def waits_for(self) -> str | None:
        """The event that the query waits for; None for a query that must have an answer."""
        return next((event for part, event in WAITING.items() if part in self.query.expr), None)


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """Whether it has scraped its target once. It finds the target some seconds after its start."""
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=30):  # noqa: S310 - on this machine
                return bool(self.query("up == 1"))
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return False

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the present values of an expression. Raises ValueError with the reason if it is refused."""
        found: list[dict[str, Any]] = self._get("/query", query=expr)["result"]
        return found

    def range(self, expr: str, start: float, end: float) -> list[Series]:
        """Return the values of an expression over time. Raises ValueError with the reason if it is refused."""
        found = self._get("/query_range", query=expr, start=str(start), end=str(end), step=STEP)["result"]
        made = []
        for each in found:
            values = [(at, float(text)) for at, text in each["values"]]
            made.append(Series(each["metric"], [(at, value) for at, value in values if not math.isnan(value)]))
        return [each for each in made if each.values]

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return the loaded rules by name, each with its health and last error."""
        return {rule["name"]: rule for group in self._get("/rules")["groups"] for rule in group["rules"]}

    def _get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        url = f"{self._url}/api/v1{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - on this machine
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None


@contextmanager
def prometheus(program: str, target: int, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with the rules of deploy/ and one target, a port of 127.0.0.1.

    Rules are evaluated each second, so that their series are there within a short load. Raises OSError if it does not
    start.
    """
    given = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PROMETHEUS / name) for name in monitoring.RULES],
        "scrape_configs": [{"job_name": "reversal", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    configuration = folder / "prometheus.json"
    configuration.write_text(json.dumps(given))  # JSON is YAML
    port = servers.free_port()
    command = [program, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, cwd=folder)  # noqa: S603 - the program that the operator installed
    try:
        made, until = Prometheus(port), time.monotonic() + _START_SECONDS
        while not made.is_ready():
            if process.poll() is not None or time.monotonic() > until:
                raise OSError(f"{program} did not start")
            time.sleep(0.1)
        yield made
    finally:
        process.terminate()
        process.wait(30)


def hours() -> list[dict[str, Any]]:
    """Return a request for each hour after those of the training, in order of time."""
    history = bodies.history()
    ends = range(FIRST_BAR + CANDLES, len(history) + 1)
    parts = (history.part(slice(end - CANDLES, end)) for end in ends)
    return [{"pair": "EUR/USD", "timeframe": "1h", "data": bodies.bars(part), "user_id": "u1"} for part in parts]


def odd(body: dict[str, Any]) -> list[bytes]:
    """Return requests that are answered with a warning, some that are refused, and one of another protocol."""
    scaled = [{key: 150 * bar[key] for key in ("open", "high", "low", "close")} for bar in body["data"]]
    rows = [[bar[key] for key in ("open", "high", "low", "close", "volume")] for bar in body["data"]]
    tensor = {"name": "candles", "datatype": "FP64", "shape": [1, len(rows), 5], "data": rows}
    versions = {"version": "v3.1"}
    found: list[dict[str, Any]] = [
        body | versions | {"data": scaled},
        body | versions | {"data": body["data"][-80:]},
        body | versions | {"timeframe": "4h"},
        body | versions | {"data": body["data"][-10:]},
        body | {"version": "v9"},
        body | {"pair": "EURUSD"},
    ]
    protocol = message("/v2/models/reversal/infer", bodies.encoded({"inputs": [tensor]}))
    return [*(message(bodies.PREDICT, bodies.encoded(each)) for each in found), message(bodies.PREDICT, b"{"), protocol]


def traffic(port: int, seconds: float) -> None:
    """Send everything that the dashboard shows to a server, for about so many seconds."""
    asked = hours()
    regular = [message(bodies.PREDICT, bodies.encoded(body)) for body in asked]
    wrong, batch = odd(asked[0]), bodies.batches("120 candles", 64)
    with servers.experiment(port, "shadowed", variant_a="v3.0", variant_b="v3.1", mode="shadow"):
        # Every hour once, so that there are enough labelled candles for an interval. One after the other, so that
        # variant B has time to score each of them on a busy machine too.
        _ask_each(port, regular)
        label(port)
        until = time.monotonic() + seconds
        for turn in itertools.count():
            opened(port, regular[turn:] + regular[:turn], RATE, 8, 1.5)
            _ask_each(port, wrong)
            closed(port, batch, 2, 0.2, 0.0)
            socket.create_connection(("127.0.0.1", port)).close()
            if turn % 4 == 0:
                closed(port, regular, 32, 0.3, 0.0)  # more than one worker can answer alone, so that batches form
            if time.monotonic() > until:
                break
        # Neither variant, and not active, so that it can be loaded again; the experiment would hold it.
    servers.manage(port, "/reversal/models/v3.0/unload")
    servers.manage(port, "/reversal/models/v3.0/load")


def label(port: int) -> None:
    """Label the recorded candles by the candles that followed them."""
    history = bodies.history()
    data = bodies.bars(history.part(slice(FIRST_BAR + CANDLES - 1 - RULE.horizon, len(history))))
    servers.manage(
        port,
        "/reversal/experiments/shadowed/evaluate",
        {"pair": "EUR/USD", "timeframe": "1h", "data": data[-2_000:], **RULE.values},
    )


def _ask_each(port: int, messages: Sequence[bytes]) -> None:
    connection = Connection(port)
    try:
        for each in messages:
            connection.send(each, 0.0)
            while not connection.receive():
                pass
    finally:
        connection.close()


def answers(asked: Prometheus, start: float, end: float) -> list[Answer]:
    """Return the answers to all queries of the dashboard."""
    found = []
    for query in monitoring.queries():
        expr = query.expr.replace("$__rate_interval", RATE_INTERVAL).replace("$instance", ".*")
        found.append(Answer(query, asked.range(expr, start, end)))
    return found


def complete(asked: Prometheus, start: float, patience: float = 30.0) -> list[Answer]:
    """Return the answers once all that are to come are there: the keeper reads the labels every 10 s."""
    until = time.monotonic() + patience
    while True:
        time.sleep(2.0)  # a scrape and an evaluation of the rules
        found = answers(asked, start, time.time())
        if time.monotonic() > until or not any(map(_is_missing, found)):
            return found


def problems(asked: Prometheus, found: Sequence[Answer]) -> list[str]:
    """Return what is wrong: a query without an answer that waits for no event, or a rule that is not healthy."""
    wrong = [f"no answer: {each.query.title}: {each.query.expr}" for each in found if _is_missing(each)]
    loaded = asked.rules()
    for rule in monitoring.rules():
        state = loaded.get(rule.name)
        if state is None or state["health"] != "ok":
            reason = "not loaded" if state is None else state.get("lastError") or state["health"]
            wrong.append(f"rule {rule.name}: {reason}")
        if not rule.is_alert and not asked.query(rule.name):
            wrong.append(f"rule {rule.name}: recorded nothing")
        asked.query(rule.expr)
    return wrong


def _is_missing(answer: Answer) -> bool:
    return not answer.series and answer.waits_for is None


def draw(found: Sequence[Answer], start: float, picture: Path) -> None:
    """Draw each panel with its answers. The same answers give the same file."""
    mpl.rcParams |= {"svg.hashsalt": "dashboard", "svg.fonttype": "none"}
    panels, left = monitoring.panels(), iter(found)
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.5 * rows), layout="constrained")
    places = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes, panel in zip(places, panels, strict=False):
        _draw_panel(axes, list(itertools.islice(left, len(panel["targets"]))), start)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    figure.savefig(picture, metadata={"Date": None})
    if picture.suffix == ".svg":  # a tenth of a pixel is enough, and makes the file a third smaller
        picture.write_text(_LONG.sub(lambda found: f"{float(found[0]):.1f}", picture.read_text()))


def _draw_panel(axes: Axes, shown: Sequence[Answer], start: float) -> None:
    query = shown[0].query
    highest = 0.0
    for answer in shown:
        for series in answer.series:
            name = answer.query.legend
            for label_name, value in series.labels.items():
                name = name.replace(f"{{{{{label_name}}}}}", value)
            values = [value for _, value in series.values]
            highest = max(highest, *values)
            axes.plot([at - start for at, _ in series.values], values, lw=1, label=name)
    if query.limit is not None and query.limit < 3 * highest:
        axes.axhline(query.limit, color="tab:red", lw=1, ls="--")
    axes.set_title(f"{query.title} [{query.unit}]" if query.unit != "short" else query.title, fontsize=8)
    axes.tick_params(labelsize=6)
    axes.grid(visible=True, alpha=0.3)
    axes.set_ylim(0.0, 1.15 * highest or 1.0)
    events = [answer.waits_for for answer in shown if not answer.series]
    if any(answer.series for answer in shown):
        axes.legend(fontsize=5, loc="best")
    else:
        axes.text(0.5, 0.5, f"waits for {events[0]}", ha="center", fontsize=7, transform=axes.transAxes)


def main() -> None:
    """Load, ask, draw, and print what was asked and answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=sys.executable, help="the Python that runs the server")
    parser.add_argument("--prometheus", default=shutil.which("prometheus"), help="its program")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the load")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--output", type=Path, default=BUILD / "dashboard.json")
    options = parser.parse_args()
    if options.prometheus is None:
        parser.error(MISSING)
    about = machine()
    with (
        tempfile.TemporaryDirectory(prefix="prometheus-") as folder,
        servers.server(python=options.server, workers=2) as running,
        prometheus(options.prometheus, running.port, Path(folder)) as asked,
    ):
        start = time.time()
        traffic(running.port, options.seconds)
        found = complete(asked, start)
        wrong = problems(asked, found)
        firing = [each["metric"]["alertname"] for each in asked.query('ALERTS{alertstate="firing"}')]
    draw(found, start, options.picture)
    shown = [
        {"panel": each.query.title, "expr": each.query.expr, "series": len(each.series)}
        | ({} if each.series else {"waits_for": each.waits_for})
        for each in found
    ]
    save({"machine": about, "queries": shown, "rules": len(monitoring.rules()), "firing": firing}, options.output)
    for problem in wrong:
        print(problem, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
