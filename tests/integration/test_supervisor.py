"""The supervisor with real processes: it brings back what dies, stops in order, and leaves nothing behind."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from streametrics.supervisor import supervisor
from streametrics.supervisor.child_process import ChildProcess, ProcessSpec, StopSequence
from streametrics.supervisor.console import Console
from streametrics.supervisor.supervisor import Supervisor
from tests.support.stack import until

GENTLE: StopSequence = ((signal.SIGTERM, 5.0),)

#: Says its id and stays; with a grandchild that would outlive it.
WITH_GRANDCHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("grandchild", child.pid, flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
SAYS_WHEN_STOPPED = """
import signal, sys, time
def stop(*_):
    print("stopped", time.monotonic(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(600)
"""


def spec(name: str, program: str, stop_sequence: StopSequence = GENTLE) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-c", program), stop_sequence)


class Watched:
    """A supervisor, what its console showed, and a clock that ticks while one waits."""

    def __init__(self, folder: Path) -> None:
        self.out = io.StringIO()
        self.console = Console(folder / "log" / "all.log", color=False, out=self.out)
        self.supervisor = Supervisor(self.console)

    @property
    def text(self) -> str:
        return self.out.getvalue()

    def until(self, look: Callable[[], object], within_s: float, what: str) -> None:
        def ticking() -> object:
            self.supervisor.tick()
            return look()

        until(ticking, within_s=within_s, what=f"{what}; shown: {self.text}")

    def pid(self, name: str) -> int | None:
        child = self.supervisor.child(name)
        return child.pid if child is not None and child.is_running else None


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.supervisor.hurry()
    made.supervisor.stop([[name] for name in ("a", "b", "c")])
    made.console.close()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def grandchild_of(text: str) -> int:
    return int(text.rpartition("grandchild ")[2].split()[0])


def test_a_killed_process_comes_back_within_five_seconds(watched: Watched) -> None:
    # Given a process that runs
    first = watched.supervisor.start(spec("a", SAYS_WHEN_STOPPED)).pid
    watched.until(lambda: "ready" in watched.text, 10, "it runs")
    # When it is killed
    os.kill(first, signal.SIGKILL)
    # Expect another one soon, and a sentence that says why
    watched.until(lambda: watched.pid("a") not in (None, first), 5, "it is back")
    assert "a ended unexpectedly (killed by SIGKILL; its last words: ready). It starts again in 1 s." in watched.text


def test_one_that_keeps_dying_waits_longer_each_time(watched: Watched) -> None:
    watched.supervisor.start(spec("a", "import sys; print('no database', flush=True); sys.exit(3)"))
    watched.until(lambda: "again in 2 s" in watched.text, 10, "its second death")
    assert "exit code 3; its last words: no database). It starts again in 1 s." in watched.text


def test_a_dead_process_takes_its_grandchildren_along(watched: Watched) -> None:
    # Given a process with a child of its own
    child = watched.supervisor.start(spec("a", WITH_GRANDCHILD))
    watched.until(lambda: "grandchild" in watched.text, 10, "it has a child")
    grandchild = grandchild_of(watched.text)
    # When it alone is killed
    os.kill(child.pid, signal.SIGKILL)
    # Expect the grandchild not to go on
    watched.until(lambda: gone(grandchild), 5, "the grandchild is gone")


def test_they_stop_in_their_order(watched: Watched) -> None:
    for name in ("a", "b", "c"):
        watched.supervisor.start(spec(name, SAYS_WHEN_STOPPED))
    watched.until(lambda: watched.text.count("ready") == 3, 10, "all run")
    watched.supervisor.stop([["b", "c"], ["a"]])
    stops = {line.split()[0]: float(line.split()[-1]) for line in watched.text.splitlines() if "stopped" in line}
    assert stops["a"] > max(stops["b"], stops["c"])


def test_one_that_ignores_the_signal_is_killed(watched: Watched) -> None:
    child = watched.supervisor.start(spec("a", IGNORES_SIGTERM, ((signal.SIGTERM, 0.3),)))
    watched.until(lambda: "ready" in watched.text, 10, "it runs")
    watched.supervisor.stop([["a"]])
    assert gone(child.pid)


def test_a_second_signal_hastens(watched: Watched) -> None:
    # Given a process that would be given a minute
    child = watched.supervisor.start(spec("a", IGNORES_SIGTERM, ((signal.SIGTERM, 60.0),)))
    watched.until(lambda: "ready" in watched.text, 10, "it runs")
    # When a hurry is on
    watched.supervisor.hurry()
    began = time.monotonic()
    watched.supervisor.stop([["a"]])
    # Expect no minute of waiting
    assert gone(child.pid)
    assert time.monotonic() - began < 10


def test_the_log_is_prefixed_and_kept(watched: Watched, tmp_path: Path) -> None:
    watched.supervisor.start(spec("a", SAYS_WHEN_STOPPED))
    watched.until(lambda: "ready" in watched.text, 10, "it runs")
    assert "a          | ready" in watched.text
    assert "a          | ready" in (tmp_path / "log" / "all.log").read_text()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGABRT])
def test_a_killed_supervisor_leaves_nothing(end: signal.Signals, tmp_path: Path) -> None:
    # Given a supervisor in a process of its own, with a process that has a child
    program = f"""
        import signal, sys, time
        from pathlib import Path
        from streametrics.supervisor.child_process import ProcessSpec
        from streametrics.supervisor.console import Console
        from streametrics.supervisor.supervisor import Supervisor
        supervisor = Supervisor(Console(Path({str(tmp_path / "log")!r})))
        ladder = ((signal.SIGTERM, 5.0),)
        child = supervisor.start(ProcessSpec("a", (sys.executable, "-c", {WITH_GRANDCHILD!r}), ladder))
        print("child", child.pid, flush=True)
        time.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        text = ""
        while "grandchild" not in text or "child " not in text.replace("grandchild", ""):
            line = process.stdout.readline()
            assert line, text
            text += line
        family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert len(family) == 3  # the guardian, the process, and its child
        # When it is killed, which it cannot notice
        process.send_signal(end)
        # Expect all of them to end
        until(lambda: all(gone(pid) for pid in family), within_s=10, what=f"{family} are gone")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_guardian_is_replaced(watched: Watched) -> None:
    watched.supervisor.start(spec("a", SAYS_WHEN_STOPPED))
    guardian = watched.supervisor.orphan_guard_pid
    os.kill(guardian, signal.SIGKILL)
    watched.until(lambda: watched.supervisor.orphan_guard_pid != guardian, 5, "another orphan guard")


def test_a_process_that_cannot_be_started_again_is_tried_again_and_ends_no_other(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_RESTART_DELAY_S", 0.2)
    first = watched.supervisor.start(spec("a", SAYS_WHEN_STOPPED)).pid
    other = watched.supervisor.start(spec("b", SAYS_WHEN_STOPPED)).pid
    # Given a system without a process left, at the first try
    failures = iter([OSError(11, "Resource temporarily unavailable")])

    def start(*arguments: Any) -> ChildProcess:
        for error in failures:
            raise error
        return ChildProcess(*arguments)

    monkeypatch.setattr(supervisor, "ChildProcess", start)
    os.kill(first, signal.SIGKILL)
    watched.until(lambda: watched.pid("a") not in (None, first), 10, "it is back")
    assert "a cannot be started ([Errno 11] Resource temporarily unavailable)" in watched.text
    assert watched.pid("b") == other
