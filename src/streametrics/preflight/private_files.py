"""Keeps what lies in the data folder from the other accounts of this machine.

New files are private by the umask of every process (`settings.PRIVATE_UMASK`). Older ones are mended at each start:
what is ours in the folder, never through a symbolic link, and nothing that also has a name elsewhere.
"""

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streametrics.database.sqlite import sqlite_file

#: What a start may find in the data folder and take for its own; other things there are not ours to change.
_FOLDERS = ("audio", "logs", "queue")
_FILES = "streametrics."

#: What SQLite keeps beside a database, by what its name ends in.
_BESIDE_DATABASE = ("", "-wal", "-shm", "-journal")

logger = logging.getLogger(__name__)


def mend(data_dir: Path, database_url: str = "") -> None:
    """Take the rights of other accounts off the data folder and what is ours in it. Not on Windows, which has ACLs.

    database_url: of a SQLite file elsewhere the group keeps its rights, as it was put there on purpose.
    """
    if sys.platform == "win32":
        return
    database = sqlite_file(database_url) if database_url else None
    if database is not None and database.parent.resolve() != data_dir.resolve():
        _mend_database(database)
    try:
        with _opened(data_dir, folder=True) as folder:
            for name in _names_in(folder):
                if name in _FOLDERS or name.startswith(_FILES):
                    _mend(name, folder)
            if not _is_shared(data_dir):
                _make_private(folder)
    except FileNotFoundError:  # the first start makes it
        return
    except OSError as error:
        logger.warning("the rights on DATA_DIR were not looked at: %s", error)


def _mend_database(database: Path) -> None:
    for ending in _BESIDE_DATABASE:
        file = database.with_name(f"{database.name}{ending}")
        try:
            if stat.S_ISREG(file.lstat().st_mode):
                with _opened(file, folder=False) as opened:
                    _make_private(opened, others=0o007)
        except FileNotFoundError:
            continue
        except OSError as error:
            logger.warning("the rights on %s were not mended: %s", file.name, error)


def _mend(name: str, parent: int) -> None:
    """Mend one entry of an open folder, with all that is below it."""
    kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(kind) and not stat.S_ISREG(kind):
        return
    try:
        with _opened(name, folder=stat.S_ISDIR(kind), parent=parent) as opened:
            _make_private(opened)
            for below in _names_in(opened) if stat.S_ISDIR(kind) else ():
                _mend(below, opened)
    except FileNotFoundError:  # its job has ended meanwhile
        return
    except OSError as error:
        logger.warning("the rights on %s were not mended: %s", name, error)


def _make_private(opened: int, others: int = 0o077) -> None:
    found = os.fstat(opened)
    # A file with a second name may have it anywhere, and the other one would lose its rights with it.
    elsewhere = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.geteuid() and mode & others and not elsewhere:
        os.fchmod(opened, mode & 0o777 & ~others)


def _names_in(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


@contextmanager
def _opened(path: str | Path, *, folder: bool, parent: int | None = None) -> Iterator[int]:
    """Open a file or folder to look at it. What is a link by now, or waits for a writer, is not opened."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | (os.O_DIRECTORY if folder else 0)
    opened = os.open(path, flags, dir_fd=parent)
    try:
        yield opened
    finally:
        os.close(opened)


def _is_shared(data_dir: Path) -> bool:
    """Tell whether more than our data lies there: a home, the working folder, or what is above one of them."""
    return any(place == data_dir or data_dir in place.parents for place in (Path.home().resolve(), Path.cwd()))
