"""What a writer of stored sound leaves free on the disk."""

import contextlib
import errno
from pathlib import Path

import pytest

from streametrics.errors import StorageFull
from streametrics.storage.local import CHECK_BYTES, AudioStore

SECOND = bytes(32_000)
FLOOR_BYTES = 500_000_000


class Disk:
    """A disk with so much left, from which each question takes what somebody else has written."""

    def __init__(self, left_bytes: int, taken_by_others_bytes: int = 0) -> None:
        self.left_bytes = left_bytes
        self.asked = 0
        self._taken_by_others_bytes = taken_by_others_bytes

    def free_bytes(self) -> int:
        self.asked += 1
        self.left_bytes -= self._taken_by_others_bytes
        return self.left_bytes


def fill(store: AudioStore, folder: Path, disk: Disk, *, seconds: int) -> int:
    """Write so many seconds of samples to the disk; returns how many bytes were taken before it was full."""
    writer = store.writer(min_free_bytes=FLOOR_BYTES)
    written = 0
    with contextlib.suppress(StorageFull):
        for _ in range(seconds):
            writer.write(SECOND)
            written += len(SECOND)
            disk.left_bytes -= len(SECOND)
    writer.discard()
    assert list(folder.iterdir()) == []
    return written


def test_decoded_samples_stop_above_the_floor_and_leave_no_file(tmp_path: Path) -> None:
    disk = Disk(FLOOR_BYTES + 10_000_000)

    written = fill(AudioStore(tmp_path, free_bytes=disk.free_bytes), tmp_path, disk, seconds=3600)

    assert disk.left_bytes >= FLOOR_BYTES
    assert written >= 10_000_000 - 2 * CHECK_BYTES, "what there is room for is used"


def test_the_floor_holds_while_others_write_too(tmp_path: Path) -> None:
    disk = Disk(FLOOR_BYTES + 10_000_000, taken_by_others_bytes=2_000_000)

    fill(AudioStore(tmp_path, free_bytes=disk.free_bytes), tmp_path, disk, seconds=3600)

    # Expect what was between two looks to be missing at most
    assert disk.left_bytes >= FLOOR_BYTES - 2_000_000


def test_the_disk_is_asked_once_in_a_megabyte(tmp_path: Path) -> None:
    disk = Disk(10 * FLOOR_BYTES)

    written = fill(AudioStore(tmp_path, free_bytes=disk.free_bytes), tmp_path, disk, seconds=3600)

    assert written == 3600 * len(SECOND)
    assert disk.asked <= written // CHECK_BYTES * 1.1


def test_the_first_byte_asks_already(tmp_path: Path) -> None:
    writer = AudioStore(tmp_path, free_bytes=lambda: FLOOR_BYTES).writer(min_free_bytes=FLOOR_BYTES)
    with pytest.raises(StorageFull):
        writer.write(b"1")
    writer.discard()


def test_without_a_floor_nothing_is_asked(tmp_path: Path) -> None:
    writer = AudioStore(tmp_path, free_bytes=lambda: 0).writer()
    writer.write(SECOND)
    assert (tmp_path / writer.commit()).read_bytes() == SECOND


def test_a_disk_without_room_for_another_file_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = AudioStore(tmp_path)
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(StorageFull):
        store.writer()
