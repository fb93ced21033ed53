from __future__ import annotations

from dataclasses import dataclass

import pytest

from server.settings_parsing import SettingsError, integer, setting, settings_of


@dataclass(frozen=True)
class Planted:
    pace: int = setting("3", integer(1, 9), "how fast")
    pass_word: int = setting("0", integer(0, 99), "what opens the door", variable="DOOR", secret=True)


PACE, PASS_WORD = settings_of(Planted)


def test_a_field_declares_a_whole_setting() -> None:
    assert (PACE.name, PACE.flag, PACE.variable) == ("pace", "--pace", "REVERSAL_PACE")
    assert (PASS_WORD.name, PASS_WORD.flag, PASS_WORD.variable) == ("pass_word", "--pass-word", "DOOR")
    assert (PACE.read(None, {}), PACE.read(None, {"REVERSAL_PACE": "4"})) == (3, 4)
    assert PACE.read("5", {"REVERSAL_PACE": "4"}) == 5


def test_an_error_quotes_the_value_unless_it_is_secret() -> None:
    with pytest.raises(SettingsError, match=r"^--pace: '10' .* 1 to 9; example: --pace 3$"):
        PACE.read("10", {})
    with pytest.raises(SettingsError, match=r"^DOOR: .* 0 to 99; example: DOOR=0$") as raised:
        PASS_WORD.read(None, {"DOOR": "open sesame"})
    assert "sesame" not in str(raised.value)


def test_a_check_gets_only_a_given_value() -> None:
    @dataclass(frozen=True)
    class Checked:
        door: int = setting("0", integer(0, 9), "which one", check=_refuse)

    (door,) = settings_of(Checked)
    assert door.read(None, {}) == 0
    with pytest.raises(SettingsError, match=r"^--door: 0 is walled up$"):
        door.read("0", {})


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is walled up")
