"""The examples, commands and links of the documents work."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests import market
from tests.market import ROOT

Client = TestClient[web.Request, web.Application]
EXAMPLE = re.compile(r"```sh\n(curl [^\n]*)\n```\n+```json\n(.*?)```", re.DOTALL)


def examples(document: str) -> list[tuple[str, Any]]:
    """Each curl command of a document, with the answer that is shown below it."""
    found = EXAMPLE.findall((ROOT / document).read_text())
    return [(command, json.loads(answer)) for command, answer in found]


@pytest.fixture
async def client(committed: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    return await aiohttp_client(committed)


async def run(client: Client, command: str) -> Any:  # noqa: ANN401 - JSON
    """Send the request of a curl command to the test's server; returns the answer."""
    words = iter(shlex.split(command)[1:])
    method, path, body, headers = "GET", "", None, {}
    for word in words:
        match word:
            case "-s":
                pass
            case "-X":
                method = next(words)
            case "-H":
                name, value = next(words).split(": ")
                headers[name] = value
            case "-d":
                method, body = "POST", next(words)
            case _:
                path = word.removeprefix("localhost:8000")
    if body is not None and body.startswith("@"):
        body = (ROOT / body[1:]).read_text()
    response = await client.request(method, path, data=body, headers=headers)
    return await response.json()


def assert_shown(shown: Any, answer: Any, place: str) -> None:  # noqa: ANN401 - JSON
    """Fail if the answer differs from what is shown. It may have more fields, and other timestamps."""
    if isinstance(shown, dict):
        assert isinstance(answer, dict), place
        for key, value in shown.items():
            assert key in answer, f"{place}.{key}"
            if key != "timestamp":
                assert_shown(value, answer[key], f"{place}.{key}")
    elif isinstance(shown, float):
        assert answer == pytest.approx(shown, abs=1e-6), place
    else:
        assert answer == shown, place


# Pages with examples, and the least number of examples. The pages of one row are run one after the other on one server.
PAGES = [
    (["README.md"], 1),
    (["docs/predict.md"], 4),
    (["docs/batch-and-compare.md"], 2),
    (["docs/explain.md"], 1),
    (["docs/managing-models.md"], 5),
    (["docs/monitoring.md"], 1),
    (["docs/planning.md"], 1),
    (["docs/open-inference.md"], 2),
    (["docs/dashboard-stream.md"], 1),
    (["docs/experiments.md", "docs/outcomes.md"], 7),
]


@pytest.mark.parametrize(("documents", "least"), PAGES)
async def test_every_example_has_the_answer_that_is_shown(client: Client, documents: list[str], least: int) -> None:
    found = [example for document in documents for example in examples(document)]
    assert len(found) >= least
    for command, shown in found:
        assert_shown(shown, await run(client, command), command)


def all_pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_every_page_with_examples_is_run() -> None:
    found = {str(page.relative_to(ROOT)) for page in all_pages() if EXAMPLE.search(page.read_text())}
    assert found == {document for documents, _ in PAGES for document in documents}


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_a_page_has_less_than_200_lines_of_at_most_120_characters(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) < 200
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
    assert [line for line in prose if len(line) > 120 and not line.startswith(("|", "<!--"))] == []


def test_the_example_requests_hold_the_last_hours_of_the_series() -> None:
    for name, count in (("predict.json", 120), ("evaluate.json", 120), ("twenty.json", 20)):
        body = json.loads((ROOT / "docs" / "examples" / name).read_text())
        assert body["data"] == market.body(6225 - count, count)["data"]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.MULTILINE))
        assert named <= targets, f"{document.name}: {named - targets}"


def anchors(document: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_to_a_file_works() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", document.read_text()):
            if target.startswith("http"):
                continue
            page = document.parent / target if target else document
            assert page.exists(), f"{document.name}: {target}"
            assert not anchor or anchor in anchors(page), f"{document.name}: {target}#{anchor}"
