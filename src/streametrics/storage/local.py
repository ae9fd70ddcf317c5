"""Stores audio by key in a local folder. Nothing outside this module knows where a key lies."""

import errno
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from streametrics.errors import StorageFull, StorageUnavailable

logger = logging.getLogger(__name__)

_PARTIAL = ".partial"
#: The file whose content tells this store from others. No key begins with a dot.
_ID_FILE = ".store-id"
_ID = re.compile("[0-9a-f]{32}")
#: So much may be written between two looks at the free space, in bytes: half a minute of decoded sound.
CHECK_BYTES = 1 << 20


class AudioWriter:
    """Writes one file. Its key becomes readable with `commit`; `discard` leaves nothing.

    has_room: asked about every next piece of at most `CHECK_BYTES`, before it is written. Raises StorageFull,
    StorageUnavailable.
    """

    def __init__(self, folder: Path, key: str, has_room: Callable[[], bool] = lambda: True) -> None:
        self.key = key
        self._has_room, self._allowed_bytes = has_room, 0
        self._path = folder / key
        self._partial = folder / (key + _PARTIAL)
        try:
            self._file: BinaryIO = self._partial.open("xb")
        except OSError as error:  # a full disk may have no room for the name of a file
            raise _translated(error) from error

    def write(self, data: bytes) -> None:
        """Append bytes, at most `CHECK_BYTES`. Raises StorageFull."""
        if len(data) > self._allowed_bytes:
            if not self._has_room():
                raise StorageFull
            self._allowed_bytes = max(CHECK_BYTES, len(data))
        self._allowed_bytes -= len(data)
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
        """Delete what was written; harmless after `commit`."""
        try:
            self._file.close()
        except OSError:  # a full disk fails once more when the buffer is flushed; the file goes anyway
            pass
        finally:
            with suppress(OSError):  # what the folder is gone with
                self._partial.unlink(missing_ok=True)


class AudioStore:
    """Stores audio in a folder, under random keys. Safe to use from several processes at once.

    free_bytes: what the disk has left now; None asks the disk.
    """

    def __init__(self, folder: Path, *, free_bytes: Callable[[], int] | None = None) -> None:
        self._folder = folder
        self._free_bytes = free_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def free_bytes(self) -> int:
        """Return the free bytes of the disk that the folder is on. Raises StorageUnavailable."""
        if self._free_bytes is not None:
            return self._free_bytes()
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            raise _translated(error) from error

    def total_bytes(self) -> int:
        """Return the size of the disk that the folder is on. Raises StorageUnavailable."""
        try:
            return shutil.disk_usage(self._folder).total
        except OSError as error:
            raise _translated(error) from error

    def require_usable(self) -> None:
        """Check that audio can be stored. Raises StorageUnavailable."""
        if not (self._folder.is_dir() and os.access(self._folder, os.R_OK | os.W_OK | os.X_OK)):
            raise StorageUnavailable

    def store_id(self) -> str:
        """Read the id that tells this store from others, on whichever host; made where there is none. Raises OSError.

        Read each time: a folder that was put away, or not mounted yet, is another store.
        """
        file = self._folder / _ID_FILE
        if (found := self._kept_id()) is not None:
            return found
        made = self._folder / f"{_ID_FILE}.{uuid.uuid4().hex}"
        made.write_text(uuid.uuid4().hex, encoding="ascii")
        try:
            if file.exists():  # damaged
                made.replace(file)
            else:
                os.link(made, file)  # fails where another process was faster
        except FileExistsError:
            pass
        except OSError:  # no hard links on this file system
            made.replace(file)
        finally:
            made.unlink(missing_ok=True)
        if (found := self._kept_id()) is None:
            raise OSError(errno.EIO, "the id of the audio store cannot be kept", str(file))
        return found

    def _kept_id(self) -> str | None:
        try:
            kept = (self._folder / _ID_FILE).read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        return kept if _ID.fullmatch(kept) else None

    def holds(self, key: str) -> bool:
        """Tell whether there is audio under this key. Raises OSError where that cannot be seen."""
        try:
            self._path(key).stat()
        except FileNotFoundError:
            return False
        return True

    def writer(self, *, min_free_bytes: int = 0) -> AudioWriter:
        """Start a new file under a fresh key; its writes leave at least `min_free_bytes` of the disk free."""
        least_bytes = min_free_bytes + CHECK_BYTES

        def has_room() -> bool:
            return not min_free_bytes or self.free_bytes() >= least_bytes

        return AudioWriter(self._folder, uuid.uuid4().hex, has_room)

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """Provide a path at which the audio can be read while the context lasts. Raises FileNotFoundError."""
        path = self._path(key)
        if not path.is_file():
            raise FileNotFoundError(key)
        yield path

    def delete(self, key: str) -> None:
        """Delete the audio; harmless when it is gone."""
        self._path(key).unlink(missing_ok=True)

    def keys_older_than(self, age_s: float) -> Iterator[str]:
        """List the keys that nobody has written to for `age_s` seconds, unfinished files included."""
        limit = time.time() - age_s
        if not self._folder.is_dir():
            return  # readiness says so
        for path in self._folder.iterdir():
            if path.name.startswith("."):
                continue
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
    logger.error("audio cannot be stored: %s", error)
    return StorageUnavailable()
