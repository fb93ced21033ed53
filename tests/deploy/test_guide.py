"""Every command of the deployment guide works as written, in order, for an ordinary user with an empty home folder."""

from __future__ import annotations

import pytest

from tests.deploy.pages import PAGES, blocks, text_of
from tests.deploy.reader import Reader
from tests.market import ROOT

pytestmark = pytest.mark.serial  # starts servers, and measures whether requests fail


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_prints_what_the_page_shows(reader: Reader, page: str) -> None:
    reader.until(page)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_new_release_and_the_way_back_fail_no_request(reader: Reader) -> None:
    reader.until("deployment-upgrade.md")
    print(f"answers while a release was replaced, and on the way back: {reader.rolled}; failures: 0")  # noqa: T201
    assert len(reader.rolled) == 2
    assert min(reader.rolled) > 100
    assert reader.health[0].count('"version":"9.9.9"') == 2
    assert reader.health[1].count('"version":"9.9.9"') == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_commands(page: str) -> None:
    assert blocks(text_of(page))


def test_every_page_of_the_guide_is_run() -> None:
    found = {path.name for path in (ROOT / "docs").glob("deployment*.md")}
    assert found == set(PAGES)
