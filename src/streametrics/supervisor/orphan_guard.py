"""Stops the processes that a killed supervisor leaves behind. A script; imports nothing of ours.

The supervisor writes `+<group>` and `-<group>` lines to this process's standard input, one for each process
group that it starts and sees end. When the input ends, the supervisor is gone, in whatever way, and every
group that is still noted is stopped. Unlike the kernel's parent-death signal, this reaches grandchildren too,
works on macOS, and lets the queue finish its append-only file.
"""

import os
import signal
import sys
import time

#: How long the groups have between SIGTERM and SIGKILL, in seconds.
STOP_TIMEOUT_S = 5.0


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # on macOS, a group of zombies
        return False
    return True


def signal_all(groups: set[int], number: int) -> None:
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def main() -> None:
    # Ctrl-C and a closed terminal are the supervisor's business.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    signal_all(groups, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline and any(is_alive(group) for group in groups):
        time.sleep(0.05)
    signal_all(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
