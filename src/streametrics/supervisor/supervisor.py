"""Starts the processes, restarts the one that dies, and stops them in their order, to the last one."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from streametrics.supervisor.child_process import ChildProcess, ProcessSpec, stop_together
from streametrics.supervisor.console import Console

#: A process that ran for so long restarts without the delay of its earlier deaths, in seconds.
STABLE_AFTER_S = 60.0
MAX_RESTART_DELAY_S = 30.0


class Supervisor:
    """Keeps processes running. Everything is called from the main thread, `tick` several times a second."""

    def __init__(self, console: Console, *, keep_open: tuple[int, ...] = ()) -> None:
        """`keep_open` are file descriptors that the orphan guard holds until all has ended, such as a lock."""
        self._console = console
        self._keep_open = keep_open
        self._children: dict[str, ChildProcess] = {}
        self._specs: dict[str, ProcessSpec] = {}
        self._deaths: dict[str, int] = {}
        self._start_again_at: dict[str, float] = {}
        self._hurried = False
        self._guard_due = 0.0
        self._orphan_guard = self._start_orphan_guard()

    def start(self, spec: ProcessSpec) -> ChildProcess:
        """Start a process and keep it running until `stop`."""
        self._specs[spec.name] = spec
        return self._launch(spec)

    def tick(self) -> None:
        """Notice processes that died, and restart what is due."""
        now = time.monotonic()
        for name, child in list(self._children.items()):
            if not child.is_running:
                self._on_exit(name, child, now)
        for name, due in list(self._start_again_at.items()):
            if now >= due:
                del self._start_again_at[name]
                self._restart(name, now)
        if self._orphan_guard.poll() is not None and now >= self._guard_due:
            self._restart_orphan_guard(now)

    def child(self, name: str) -> ChildProcess | None:
        """Get the running process of this name."""
        return self._children.get(name)

    @property
    def orphan_guard_pid(self) -> int:
        return self._orphan_guard.pid

    def stop(self, order: list[list[str]]) -> None:
        """Stop the processes, those of one list together, list by list; `hurry` shortens every wait."""
        self._start_again_at.clear()
        for names in order:
            children = [self._children[name] for name in names if name in self._children]
            stop_together(children, lambda: self._hurried)
            for child in children:
                self._forget(child)
        self._close_orphan_guard()
        self._orphan_guard.wait(timeout=10)

    def hurry(self) -> None:
        """Shorten the waits of a `stop` that is under way; called at a second Ctrl-C."""
        self._hurried = True

    def _restart(self, name: str, now: float) -> None:
        try:
            self._launch(self._specs[name])
        except OSError as error:  # no process or no memory is left: raised, it would end those that run
            self._start_again_at[name] = now + MAX_RESTART_DELAY_S
            self._console.warn(f"{name} cannot be started ({error}). It is tried again in {MAX_RESTART_DELAY_S:.0f} s.")

    def _restart_orphan_guard(self, now: float) -> None:
        self._close_orphan_guard()
        try:
            self._orphan_guard = self._start_orphan_guard()
        except OSError as error:
            self._guard_due = now + MAX_RESTART_DELAY_S
            self._console.warn(f"The guard that stops everything after a kill cannot be started ({error}).")
            return
        for child in self._children.values():
            self._tell_orphan_guard(f"+{child.pid}")

    def _launch(self, spec: ProcessSpec) -> ChildProcess:
        child = ChildProcess(spec, lambda text: self._console.line(spec.name, text))
        self._tell_orphan_guard(f"+{child.pid}")
        self._children[spec.name] = child
        return child

    def _on_exit(self, name: str, child: ChildProcess, now: float) -> None:
        lived_s = now - child.started_at
        child.kill_group()  # a worker's children would go on with work that is no longer theirs
        reason = child.exit_description()
        self._forget(child)
        self._deaths[name] = 1 if lived_s > STABLE_AFTER_S else self._deaths.get(name, 0) + 1
        pause_s = min(MAX_RESTART_DELAY_S, 2.0 ** (self._deaths[name] - 1))
        self._start_again_at[name] = now + pause_s
        self._console.warn(f"{name} ended unexpectedly ({reason}). It starts again in {pause_s:.0f} s.")

    def _forget(self, child: ChildProcess) -> None:
        self._tell_orphan_guard(f"-{child.pid}")
        if self._children.get(child.spec.name) is child:
            del self._children[child.spec.name]

    def _start_orphan_guard(self) -> "subprocess.Popen[str]":
        script = Path(__file__).with_name("orphan_guard.py")
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            pass_fds=self._keep_open,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def _close_orphan_guard(self) -> None:
        with contextlib.suppress(OSError):
            assert self._orphan_guard.stdin is not None
            self._orphan_guard.stdin.close()

    def _tell_orphan_guard(self, message: str) -> None:
        with contextlib.suppress(OSError):  # it died; `tick` starts another and tells it everything
            assert self._orphan_guard.stdin is not None
            self._orphan_guard.stdin.write(message + "\n")
            self._orphan_guard.stdin.flush()
