from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from core.reports.page.markdown_page import escaped, markdown
from tests.core.reports.page.reports import AT, estimate, looks, report

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})
ATTACKS = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](https://example.com/track.png)",
    "<https://example.com>",
    "*a* **b** _c_ __d__ `e` ~~f~~",
    "# heading",
    "1. one",
    "2) two",
    "- item",
    "+ item",
    "--- ",
    "===",
    "> quote",
    "| a | b |",
    "&lt;b&gt; &#60;",
    "first\n\n# heading\n\n- item\r\n    code",
    "```\ncode\n```",
    "back\\slash \\<b>",
    "[a]: https://example.com",
    "a b ",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_is_shown_as_it_is(attack: str) -> None:
    rendered = GITHUB.render(f"{escaped(attack)}\n")
    (open_, inline, close) = GITHUB.parse(f"{escaped(attack)}\n")
    assert (open_.type, close.type) == ("paragraph_open", "paragraph_close"), rendered
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}, rendered
    shown = "".join(child.content for child in inline.children or [])
    assert shown.split() == attack.split()


@pytest.mark.parametrize("attack", ATTACKS)
def test_users_cannot_add_markup_to_a_page(attack: str) -> None:
    """The page has the same blocks with attacks as with plain words."""

    def kinds(text: str) -> list[str]:
        place = {"pair": "EUR/USD", "timeframe": "1h", "candles": 3} | dict.fromkeys(
            ("A", "B", "difference"), estimate(0.5, 0.1)
        )
        found = report(
            setting={"name": text, "description": text, "status": "stopped", "stop_reason": text},
            owner=text,
            notes=[text],
            breakdown={"exploratory": True, "metric": "win_rate", "total": 2, "places": [place | {"pair": text}] * 2},
            history=[look | {"word": text} for look in looks(4)],
        )
        return [token.type for token in GITHUB.parse(markdown(found, AT))]

    assert kinds(attack) == kinds("plain words")


@pytest.mark.parametrize("address", ["www.example.com", "https://example.com", "HTTP://example.com"])
def test_an_address_does_not_become_a_link(address: str) -> None:
    assert "\\" in escaped(address)


@pytest.mark.parametrize("word", ["B better", "A better", "no difference larger than 0.02", "not yet", "invalid"])
def test_each_verdict_has_its_heading_and_its_three_numbers(word: str) -> None:
    tokens = GITHUB.parse(markdown(report(word, history=list(looks(9))), AT))
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == "Is v3.1 better than v3.0?"
    assert headings[1].lower() == word.lower()
    assert [token.type for token in tokens].count("table_open") == 3
    assert "| 50.0 % | 46.6 to 53.4 | 1,000 |" in markdown(report(word), AT)


def test_numbers_and_versions_keep_their_form() -> None:
    assert [escaped(text) for text in ("+1.2 pips", "50.1 %", "v3.1", "-0.5")] == [
        "+1.2 pips",
        "50.1 %",
        "v3.1",
        "-0.5",
    ]


def test_an_interval_that_is_not_yet_valid_is_marked() -> None:
    assert "\N{MINUS SIGN}2.2 to +4.6, not yet valid" in markdown(report(difference={"valid": False}), AT)
