"""Runs one process under supervision: in a group of its own, with its output read, stopped to the last grandchild."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: A single line of a child's output is cut at this size, in bytes, so that one without an end fills no memory.
LINE_BYTES = 16_384

#: Signals in order, each with the seconds that it is given; afterwards the whole group is killed.
StopSequence = tuple[tuple[signal.Signals, float], ...]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run, under which name, and by which signals it is stopped."""

    name: str
    command: tuple[str, ...]
    stop_sequence: StopSequence
    environment: Mapping[str, str] = field(default_factory=dict)


class ChildProcess:
    """A running child. Its lines go to `on_line`, from a thread."""

    def __init__(self, spec: ProcessSpec, on_line: Callable[[str], None]) -> None:
        self.spec = spec
        self.started_at = time.monotonic()
        self.last_line = ""
        self._on_line = on_line
        self._process = subprocess.Popen(
            spec.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **spec.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops things in their order.
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._pump = threading.Thread(target=self._read, name=f"{spec.name} output", daemon=True)
        self._pump.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while raw := stream.readline(LINE_BYTES):
                text = raw.decode(errors="replace").rstrip()
                if text:
                    self.last_line = text
                    # Whatever becomes of the line: a pipe that nobody reads would stop the process that writes.
                    with contextlib.suppress(Exception):
                        self._on_line(text)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def exit_description(self) -> str:
        """Describe why it ended: `exit code 1` or `killed by SIGKILL`, with its last line of output."""
        self._pump.join(0.5)
        code = self._process.poll() or 0
        reason = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        return f"{reason}; its last words: {self.last_line}" if self.last_line else reason

    def send(self, number: signal.Signals) -> None:
        """Signal the process alone: Celery's parent tells its children itself, and needs them to finish."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill_group(self) -> None:
        """Kill what remains of its group, grandchildren included."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._pump.join(1.0)


def stop_together(children: list[ChildProcess], hurry: Callable[[], bool]) -> None:
    """Send each child its stop sequence, side by side, until all have ended, then kill what remains of their groups.

    `hurry` turns true when waiting is no longer wanted: every remaining step is then given half a second.
    """
    steps = dict.fromkeys(children, 0)
    since = dict.fromkeys(children, time.monotonic())
    for child in children:
        child.send(child.spec.stop_sequence[0][0])
    while waiting := [child for child in children if child.is_running]:
        now = time.monotonic()
        for child in waiting:
            timeout_s = child.spec.stop_sequence[steps[child]][1]
            if now - since[child] < (min(timeout_s, 0.5) if hurry() else timeout_s):
                continue
            steps[child] += 1
            since[child] = now
            if steps[child] == len(child.spec.stop_sequence):
                child.kill_group()
                continue
            child.send(child.spec.stop_sequence[steps[child]][0])
        time.sleep(0.02)
    for child in children:
        child.kill_group()
