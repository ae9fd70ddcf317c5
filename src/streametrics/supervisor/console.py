"""Merges the logs of several processes: prefixed on the terminal, and kept in files of bounded size."""

import contextlib
import logging
import os
import sys
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

#: The log file is set aside at this size, and so many old ones are kept.
LOG_BYTES = 10_000_000
LOG_FILES = 4

_NAME_WIDTH = 10
_COLORS = {"queue": 35, "transcribe": 36, "summarise": 33, "api": 32}


class Console:
    """Writes to terminal and log file. Thread-safe; a terminal that has gone away stops nothing."""

    def __init__(self, log_file: Path, *, color: bool | None = None, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self.is_terminal = self._out.isatty()
        self._color = self.is_terminal and "NO_COLOR" not in os.environ if color is None else color
        self._lock = threading.Lock()
        self._status_shown = False
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = log_file
        self._file = RotatingFileHandler(log_file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        self._file.setFormatter(logging.Formatter("%(message)s"))

    def line(self, name: str, text: str) -> None:
        """Write a line of the process `name`."""
        prefix = f"{name:<{_NAME_WIDTH}} |"
        if self._color:
            prefix = f"\x1b[{_COLORS.get(name, 37)}m{prefix}\x1b[0m"
        self._write(f"{prefix} {text}", f"{name:<{_NAME_WIDTH}} | {text}")

    def say(self, text: str) -> None:
        """Write a message of the supervisor's own, one line or several."""
        for line in text.splitlines():
            now = time.strftime("%Y-%m-%d %H:%M:%S")  # the other processes' lines bring theirs
            self._write(line, f"{'start':<{_NAME_WIDTH}} | {now} {line}")

    def warn(self, text: str) -> None:
        self.say(f"\x1b[33mWARNING\x1b[0m {text}" if self._color else f"WARNING {text}")

    def status(self, text: str) -> None:
        """Show a line that the next one replaces; only on a terminal."""
        if self.is_terminal:
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._out.write(f"\r\x1b[K{text}")
                self._out.flush()
                self._status_shown = True

    def close(self) -> None:
        self._file.close()

    def _write(self, shown: str, kept: str) -> None:
        with self._lock:
            self._file.emit(logging.makeLogRecord({"msg": kept}))
            with contextlib.suppress(OSError, ValueError):
                self._out.write(("\r\x1b[K" if self._status_shown else "") + shown + "\n")
                self._out.flush()
                self._status_shown = False
