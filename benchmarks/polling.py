"""Many pollers in a process of their own, so that what is measured does not share an interpreter with what measures.

    python -m benchmarks.polling PORT --connections 32 --seconds 5 [--every 1] PATH...

Prints `Polls` as JSON. Loopback only. Raw HTTP over kept connections: a client library would be the slowest part.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import cast

#: Polls of the first seconds are not counted: connections open, answers are read for the first time.
WARM_UP_S = 1.0
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Polls:
    """What came of it: answers counted, answers that were not 200 or did not come, and times in milliseconds."""

    counted: int
    errors: int
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


@dataclass
class Load:
    """What all connections share. every_s: 0 asks again at once; else each connection asks once in so many seconds."""

    seconds: float
    every_s: float
    began: float
    times_s: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def counts_from(self) -> float:
        return self.began + WARM_UP_S

    @property
    def ends(self) -> float:
        return self.counts_from + self.seconds


class Poller(asyncio.Protocol):
    """One connection with one request under way."""

    def __init__(self, load: Load, path: str, first_at: float) -> None:
        self._load = load
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._due = first_at
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._wanted = 0
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's classes
        self._loop.call_at(self._due, self._ask)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        if not self._wanted:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._data.lower().find(b"content-length: ") + 16
            self._wanted = end + 4 + int(self._data[at : self._data.find(b"\r\n", at)])
        if len(self._data) >= self._wanted:
            self._answered(self._data.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._load.errors += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        if self._loop.time() >= self._load.ends:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(self._request)

    def _answered(self, is_ok: bool) -> None:
        now = self._loop.time()
        self._data, self._wanted = b"", 0
        if not is_ok:
            self._load.errors += 1
        elif self._due >= self._load.counts_from:
            # From when it was due and not from when it was sent: who is held up must not be counted as patient.
            self._load.times_s.append(now - self._due)
        if self._load.every_s == 0:
            self._due = now
            self._ask()
        else:
            self._due += self._load.every_s
            self._loop.call_at(self._due, self._ask)


async def poll(port: int, paths: list[str], connections: int, seconds: float, every_s: float) -> Polls:
    """Open all connections, then begin; those that ask once in a while begin one after the other."""
    loop = asyncio.get_running_loop()
    load = Load(seconds, every_s, began=loop.time() + connections / 1000)
    pollers: list[Poller] = []
    for number in range(connections):
        first_at = load.began + every_s * number / connections
        path = paths[number % len(paths)]
        _, poller = await loop.create_connection(lambda path=path, at=first_at: Poller(load, path, at), HOST, port)
        pollers.append(poller)
    await asyncio.wait([poller.done for poller in pollers], timeout=seconds + WARM_UP_S + 60)
    times_s = sorted(load.times_s)
    if not times_s:
        raise SystemExit("No poll was answered.")
    unanswered = sum(not poller.done.done() for poller in pollers)
    return Polls(
        counted=len(times_s),
        errors=load.errors + unanswered,
        per_second=len(times_s) / seconds,
        p50_ms=times_s[len(times_s) // 2] * 1000,
        p99_ms=times_s[int(len(times_s) * 0.99)] * 1000,
        worst_ms=times_s[-1] * 1000,
    )


def run(port: int, paths: list[str], *, connections: int, seconds: float, every_s: float = 0.0) -> Polls:
    """The same, in a process of its own."""
    options = ["--connections", str(connections), "--seconds", str(seconds), "--every", str(every_s)]
    command = [sys.executable, "-m", "benchmarks.polling", str(port), *options, *paths]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 120)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr[-2000:])
    return Polls(**json.loads(finished.stdout))


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between two polls of one connection")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = poll(options.port, options.paths, options.connections, options.seconds, options.every)
    print(json.dumps(asdict(uvloop.run(made))))


if __name__ == "__main__":
    main()
