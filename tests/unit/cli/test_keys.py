"""`python -m streametrics keys`, in this process: what it prints where, and what it keeps."""

from pathlib import Path

import pytest

from streametrics.cli import main as cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "INTERNAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def keys(*arguments: str) -> int:
    return cli.main(["keys", *arguments])


def test_a_key_is_printed_alone_and_kept_nowhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # When the first key is made, before anything was ever started
    assert keys("add", "ada", "--scope", "submit") == 0
    printed = capsys.readouterr()
    # Expect it alone on standard output, and what it means beside
    key = printed.out.strip()
    assert printed.out == key + "\n" and key.startswith("sm_")
    assert "first key" in printed.err and key not in printed.err
    # Expect it in no file, and the list to show names only
    for file in folder.rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes(), file
    keys("list")
    listed = capsys.readouterr().out
    assert listed.startswith("ada ") and "submit" in listed and key not in listed


def test_a_key_can_read_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    keys("add", "ada", "--scope", "submit")
    assert keys("add", "page", "--scope", "read", "--for", "ada") == 0
    keys("list")
    assert "for ada" in capsys.readouterr().out
    keys("add", "idle", "--scope", "read")
    assert "--for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "ada", "--scope", "submit"), "already"),
        (("add", "", "--scope", "submit"), "characters"),
        (("add", "a\nb", "--scope", "submit"), "characters"),
        (("add", "page", "--scope", "read", "--for", "nobody"), "no key named"),
        (("remove", "nobody"), "no key named"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("add", "ada", "--scope", "submit")
    capsys.readouterr()

    assert keys(*arguments) == 1

    printed = capsys.readouterr()
    assert sentence in printed.err and printed.out == ""


def test_a_key_can_be_an_administrators(capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("add", "root", "--scope", "admin") == 0
    assert "may do everything" in capsys.readouterr().err


def test_a_removed_key_names_those_that_go_on_reading_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    keys("add", "cafe\u0301", "--scope", "submit")
    keys("add", "page", "--scope", "read", "--for", "caf\u00e9")
    keys("add", "idle", "--scope", "read")
    capsys.readouterr()
    assert keys("remove", "cafe\u0301") == 0
    told = capsys.readouterr().err
    assert "go on seeing its jobs: page." in told and "idle" not in told


def test_the_last_key_that_goes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    keys("add", "ada", "--scope", "admin")
    assert keys("remove", "ada") == 0
    assert "last one" in capsys.readouterr().err
    keys("list")
    assert "no keys" in capsys.readouterr().out
