"""The audio store: sound by key, in a folder. Nothing outside this file knows where a key lies."""

import errno
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from streametrics.errors import StorageFull

_PARTIAL = ".partial"


class AudioWriter:
    """One file being received. Its key becomes good with `commit`; `discard` leaves nothing."""

    def __init__(self, folder: Path, key: str) -> None:
        self.key = key
        self._path = folder / key
        self._partial = folder / (key + _PARTIAL)
        self._file: BinaryIO = self._partial.open("xb")

    def write(self, data: bytes) -> None:
        """Append bytes. Raises StorageFull."""
        try:
            self._file.write(data)
        except OSError as error:
            raise _translated(error) from error

    def commit(self) -> str:
        """Make the file readable under its key, whole."""
        try:
            self._file.close()
            self._partial.replace(self._path)
        except OSError as error:
            raise _translated(error) from error
        return self.key

    def discard(self) -> None:
        """Forget what was written; harmless after `commit`."""
        try:
            self._file.close()
        except OSError:  # a full disk fails once more when the buffer is flushed; the file goes anyway
            pass
        finally:
            self._partial.unlink(missing_ok=True)


class AudioStore:
    """A folder of files with random names. Safe to use from several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def free_bytes(self) -> int:
        """What is left of the disk that the sound lies on."""
        return shutil.disk_usage(self._folder).free

    def writer(self) -> AudioWriter:
        """Begin a new file under a fresh key."""
        return AudioWriter(self._folder, uuid.uuid4().hex)

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """A path at which the sound can be read while the context lasts. Raises FileNotFoundError."""
        path = self._path(key)
        if not path.is_file():
            raise FileNotFoundError(key)
        yield path

    def delete(self, key: str) -> None:
        """Remove the sound; harmless when it is gone."""
        self._path(key).unlink(missing_ok=True)

    def keys_older_than(self, age_s: float) -> Iterator[str]:
        """Keys that nobody has written to for `age_s` seconds, unfinished files included."""
        limit = time.time() - age_s
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < limit:
                    yield path.name
            except FileNotFoundError:  # its job ended meanwhile
                continue

    def _path(self, key: str) -> Path:
        if "/" in key or "\\" in key or key.startswith("."):
            raise ValueError(f"not a key: {key!r}")
        return self._folder / key


def _translated(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull()
    return error
