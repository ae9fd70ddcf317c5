"""A few calm lines out of uv's many: what is being downloaded, how much of it is there, how long it took."""

import re
import sys
import time

_DOWNLOADING = re.compile(r"^\s*Downloading (\S+) \(([\d.]+)\s*([KMG]iB)\)")
_DOWNLOADED = re.compile(r"^\s*Downloaded (\S+)")
_INSTALLED = re.compile(r"^\s*Installed (\d+) packages?")
_MIB = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}

#: Where there is no terminal, a line of progress at most this often.
QUIET_S = 20.0


class Progress:
    """Follows uv's output line by line. Without a title it stays silent."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.sizes_mib: dict[str, float] = {}
        self.arrived: set[str] = set()
        self.packages = 0
        self._started = self._shown = time.monotonic()
        self._on_terminal = sys.stdout.isatty()
        if title:
            print(f"Installing {title}", flush=True)

    def read(self, line: str) -> None:
        if match := _DOWNLOADING.match(line):
            self.sizes_mib[match[1]] = float(match[2]) * _MIB[match[3]]
        elif match := _DOWNLOADED.match(line):
            self.arrived.add(match[1])
        elif match := _INSTALLED.match(line):
            self.packages = int(match[1])
        else:
            return
        self._show()

    def text(self) -> str:
        arrived = sum(size for name, size in self.sizes_mib.items() if name in self.arrived)
        largest = sorted(self.sizes_mib.keys() - self.arrived, key=lambda name: -self.sizes_mib[name])[:3]
        waiting = f", waiting for {', '.join(largest)}" if largest else ""
        return f"{arrived:,.0f} of {sum(self.sizes_mib.values()):,.0f} MiB{waiting}"

    def done(self) -> None:
        taken_s = time.monotonic() - self._started
        size_mib = sum(self.sizes_mib.values())
        self._clear()
        print(
            f"  {self.packages} packages, {size_mib:,.0f} MiB downloaded, {taken_s:.0f} s",
            flush=True,
        )

    def _show(self) -> None:
        if not self.title or not self.sizes_mib:
            return
        if self._on_terminal:
            self._clear()
            print(f"  {self.text()}"[:100], end="", flush=True)
        elif time.monotonic() - self._shown > QUIET_S:
            self._shown = time.monotonic()
            print(f"  {self.text()}", flush=True)

    def _clear(self) -> None:
        if self._on_terminal:
            print("\r\x1b[K", end="", flush=True)
