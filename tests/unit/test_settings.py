"""`.env.example` is the list of settings that people read; it must be the list that the program reads."""

from pathlib import Path

import pytest
from dotenv import dotenv_values

from streametrics.settings import Settings

EXAMPLE = Path(__file__).parent.parent.parent / ".env.example"
DOCUMENTED = dotenv_values(EXAMPLE)


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    assert sorted(DOCUMENTED) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_example_shows_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given no other settings than the example's
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    # When it is used as it is
    shown = Settings(_env_file=EXAMPLE)
    # Expect what holds without it
    assert getattr(shown, name) == getattr(Settings(_env_file=None), name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"WRITE_AHEAD": "false"}, False),
        ({"SUMMARIZE_WHILE_TRANSCRIBING": "false"}, False),
        ({"WRITE_AHEAD": "false", "SUMMARIZE_WHILE_TRANSCRIBING": "true"}, True),
    ],
)
def test_write_ahead_still_names_its_setting(
    given: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the name of before, the new one, or both
    for name in ("WRITE_AHEAD", "SUMMARIZE_WHILE_TRANSCRIBING"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    # Expect that each is read, and that the new one wins
    assert Settings(_env_file=None).summarize_while_transcribing is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"KEEPER_INTERVAL_S": "5"}, 5),
        ({"MAINTENANCE_INTERVAL_S": "3"}, 3),
        ({"KEEPER_INTERVAL_S": "5", "MAINTENANCE_INTERVAL_S": "3"}, 3),
    ],
)
def test_keeper_interval_still_names_its_setting(
    given: dict[str, str], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the name of before, the new one, or both
    for name in ("KEEPER_INTERVAL_S", "MAINTENANCE_INTERVAL_S"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    # Expect that each is read, and that the new one wins
    assert Settings(_env_file=None).maintenance_interval_s == expected


def test_every_setting_has_its_comment() -> None:
    # Given the example's lines; expect no more than a few settings after one comment
    bare = 0
    for line in EXAMPLE.read_text().splitlines():
        bare = bare + 1 if "=" in line and not line.startswith("#") else 0
        assert bare <= 3, f"{line} has no comment"
