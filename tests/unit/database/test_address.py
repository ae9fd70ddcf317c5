"""A database that cannot be used is one sentence at a start: what is wrong, where it is, and which setting names it."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from streametrics.cli.main import main
from streametrics.database.address import DatabaseUnusable, masked, require_address, require_usable
from streametrics.database.migrate import migrate
from tests.support.ports import free_port


@pytest.mark.parametrize(
    "url",
    ["foo", "foo://x", "mysql://u:secret@h/d", "sqlite://", "sqlite:///", "postgresql://u:secret@h:port/d", "http://h"],
)
def test_what_is_no_address_is_said_with_its_setting_and_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r"^DATABASE_URL=.* is no database's address") as caught:
        require_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["sqlite:///a.db", "postgres://h/d", "postgresql://u:p@h:1/d", "postgresql+psycopg:///d"]
)
def test_an_address_is_one(url: str) -> None:
    require_address(url)


def test_a_password_is_masked_wherever_it_stands() -> None:
    for url in ("postgresql://u:secret@h/d", "postgresql://h/d?password=secret", "postgres:/u:secret@h"):
        assert "secret" not in masked(url)


def broken(folder: Path, how: str) -> str:
    """Make a database that cannot be used; returns its address."""
    file = folder / "some.db"
    match how:
        case "a folder":
            file.mkdir()
        case "damaged":
            file.write_bytes(b"no database" * 1000)
        case "newer version":
            migrate(f"sqlite:///{file}")
            with contextlib.closing(sqlite3.connect(file)) as opened:
                opened.execute("UPDATE alembic_version SET version_num = '9999'")
                opened.commit()
        case "cannot be made":
            (folder / "file").touch()
            return f"sqlite:///{folder / 'file' / 'some.db'}"
        case "Connection refused":
            return f"postgresql://u:secret@127.0.0.1:{free_port()}/d"
    return f"sqlite:///{file}"


HOW = ["a folder", "damaged", "newer version", "cannot be made", "Connection refused"]


@pytest.mark.parametrize("how", HOW)
def test_a_start_says_why_it_cannot_use_the_database(tmp_path: Path, how: str) -> None:
    url = broken(tmp_path, how)
    with pytest.raises(DatabaseUnusable) as caught:
        migrate(url, setting="DATA_DIR")
    said = str(caught.value)
    assert said.startswith(f"The database {masked(url)} (DATA_DIR) cannot be used: ")
    assert how in said
    assert "secret" not in said
    assert "\n" not in said


@pytest.mark.parametrize("how", [*HOW[:3], HOW[4]])
@pytest.mark.parametrize("command", [["keys", "list"], ["doctor"]])
def test_every_command_ends_with_a_sentence(
    tmp_path: Path, how: str, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", broken(tmp_path, how))
    monkeypatch.setenv("WHISPER_ENGINE", "fake")
    monkeypatch.setenv("SUMMARIZER", "fake")
    monkeypatch.setenv("QUEUE_PORT", str(free_port()))
    monkeypatch.setenv("PORT", str(free_port()))
    assert main(command) != 0
    said = "".join(capsys.readouterr())
    assert "(DATABASE_URL) cannot be used: " in said
    assert how in said
    assert "Traceback" not in said


def test_a_worker_wants_the_apis_tables_and_no_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'some.db'}"
    with pytest.raises(DatabaseUnusable, match="Start the API first"):
        require_usable(url)
    migrate(url)
    require_usable(url)
    # A newer API has migrated it, and this worker is about to be updated
    with contextlib.closing(sqlite3.connect(tmp_path / "some.db")) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
        opened.commit()
    require_usable(url, newer=True)
    with pytest.raises(DatabaseUnusable, match="newer version"):
        require_usable(url)
