"""Ports for servers that tests start, so that no two of them meet although several test runs share the machine."""

import fcntl
import itertools
import os
import socket
import tempfile
from functools import cache
from pathlib import Path

#: Below the ports that systems give to outgoing connections: none of those comes between asking and listening.
_FIRST, _PER_RUN, _RUNS = 20_000, 500, 24


def free_port() -> int:
    """A port of loopback on which nobody listens, and which no other test run on this machine is given."""
    for _ in range(_PER_RUN):
        port = next(_own_ports())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"none of {_PER_RUN} ports is free")


@cache
def _own_ports() -> "itertools.cycle[int]":
    for number in range(_RUNS):
        path = Path(tempfile.gettempdir()) / f"streametrics-test-ports-{os.getuid()}-{number}.lock"
        # Locked as long as this process lives.
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            continue
        first = _FIRST + number * _PER_RUN
        return itertools.cycle(range(first, first + _PER_RUN))
    raise AssertionError(f"{_RUNS} test runs are at work")
