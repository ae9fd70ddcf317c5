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


#: Settings that had another name, that name, and two values that are not the default.
FORMER_NAMES = [
    ("summarize_while_transcribing", "WRITE_AHEAD", ("false", False), ("true", True)),
    ("maintenance_interval_s", "KEEPER_INTERVAL_S", ("0.5", 0.5), ("7", 7.0)),
]


@pytest.mark.parametrize(("name", "former", "one", "other"), FORMER_NAMES)
def test_a_former_name_still_names_its_setting(
    name: str,
    former: str,
    one: tuple[str, object],
    other: tuple[str, object],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / ".env"

    def read(environment: dict[str, str], written: dict[str, str]) -> object:
        for key in (name.upper(), former):
            monkeypatch.delenv(key, raising=False)
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        file.write_text("".join(f"{key}={value}\n" for key, value in written.items()))
        return getattr(Settings(_env_file=file), name)

    new = name.upper()
    # Expect the former name to be read as the new one is, in the environment and in `.env`
    for key in (new, former):
        assert read({key: one[0]}, {}) == one[1]
        assert read({}, {key: one[0]}) == one[1]
    # And the new one to win where both are given, but for one of them that is empty
    assert read({new: other[0], former: one[0]}, {}) == other[1]
    assert read({}, {former: one[0], new: other[0]}) == other[1]
    assert read({new: "", former: one[0]}, {}) == one[1]
    # And the environment to win over `.env`, whichever name is used there
    assert read({former: one[0]}, {new: other[0]}) == one[1]
    assert read({new: one[0]}, {former: other[0]}) == one[1]


def test_every_setting_has_its_comment() -> None:
    # Given the example's lines; expect no more than a few settings after one comment
    bare = 0
    for line in EXAMPLE.read_text().splitlines():
        bare = bare + 1 if "=" in line and not line.startswith("#") else 0
        assert bare <= 3, f"{line} has no comment"
