"""What a start mends of the rights on older files, and what it leaves alone."""

import os
import stat
import sys
from pathlib import Path

import pytest

from streametrics.preflight import ports, private_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has ACLs")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_all(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("secret")
    path.chmod(0o644)
    return path


def test_what_is_ours_becomes_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    names = (
        "streametrics.db",
        "streametrics.db-wal",
        "logs/streametrics.log",
        "audio/key",
        "queue/appendonlydir/1.aof",
    )
    files = [open_to_all(data / name) for name in names]
    for folder in (data, data / "logs", data / "audio", data / "queue", data / "queue" / "appendonlydir"):
        folder.chmod(0o755)

    private_files.mend(data)

    assert {mode(file) for file in files} == {0o600}
    assert {mode(folder) for folder in (data, data / "audio", data / "queue" / "appendonlydir")} == {0o700}
    assert files[0].read_text() == "secret"


def test_a_database_elsewhere_is_closed_to_all_but_its_group(tmp_path: Path) -> None:
    database = open_to_all(tmp_path / "elsewhere" / "own.db")
    wal, other = open_to_all(database.with_name("own.db-wal")), open_to_all(database.with_name("other.db"))
    wal.chmod(0o664)
    private_files.mend(tmp_path / "data", f"sqlite:///{database}")
    assert (mode(database), mode(wal), mode(other)) == (0o640, 0o660, 0o644)


def test_nothing_outside_is_touched(tmp_path: Path) -> None:
    outside = open_to_all(tmp_path / "outside" / "file")
    (tmp_path / "outside").chmod(0o755)
    data = tmp_path / "data"
    (data / "audio").mkdir(parents=True)
    # Given links of both kinds, to a file and to a folder
    (data / "streametrics.db").symlink_to(outside)
    (data / "logs").symlink_to(outside.parent)
    (data / "audio" / "key").symlink_to(outside)
    os.link(outside, data / "audio" / "second name")
    os.mkfifo(data / "audio" / "pipe")  # opening it would wait for a writer

    private_files.mend(data)

    assert mode(outside) == 0o644
    assert mode(outside.parent) == 0o755
    assert mode(data / "audio") == 0o700


def test_a_folder_that_holds_more_than_our_data_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = open_to_all(tmp_path / "streametrics.db"), open_to_all(tmp_path / "page.html")
    tmp_path.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "below"))

    private_files.mend(tmp_path)

    assert (mode(tmp_path), mode(ours), mode(other)) == (0o755, 0o600, 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_belongs_to_another_account_is_left_alone(tmp_path: Path) -> None:
    file = open_to_all(tmp_path / "data" / "audio" / "key")
    os.chown(file, 65534, 65534)
    private_files.mend(tmp_path / "data")
    assert mode(file) == 0o644


def test_a_folder_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    private_files.mend(tmp_path / "nothing")


def test_who_listens_on_a_port_is_read_from_the_system(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    rest = "00000000:00000000 00:00000000 00000000"
    table.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        f"   0: 0100007F:18EB 00000000:0000 0A {rest}  1000        0 1 1 0 100 0 0 10 0\n"
        f"   1: 0100007F:18EB 0100007F:9999 01 {rest}  1001        0 1 1 0 100 0 0 10 0\n"
    )
    assert ports.owner_of_listener(6379, table) == 1000
    assert ports.owner_of_listener(6380, table) is None
    assert ports.owner_of_listener(6379, tmp_path / "nothing") is None
