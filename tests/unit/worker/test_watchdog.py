"""The clock that ends a process whose Python has stopped: tried in processes of their own."""

import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

BEGIN = "import ctypes, time; from streametrics.worker.watchdog import watchdog; hold = ctypes.PyDLL(None).usleep\n"


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=60)


def test_work_in_c_that_keeps_the_interpreters_lock_ends_its_process() -> None:
    # Given a call in C that gives the lock back after half a minute only
    began = time.monotonic()
    finished = run("with watchdog.watch(0.5): hold(30_000_000)")
    # Expect the process to have ended long before, and to have said where it stood
    assert finished.returncode == 1
    assert time.monotonic() - began < 25
    assert "Timeout" in finished.stderr and 'File "<string>", line 2' in finished.stderr


def test_a_process_whose_threads_run_goes_on_for_longer() -> None:
    # Given work that takes much longer than the silence that is allowed, in two blocks at once
    finished = run("with watchdog.watch(0.5), watchdog.watch(0.5): time.sleep(2)")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_outside_of_the_block_nothing_is_watched() -> None:
    finished = run("with watchdog.watch(0.5): pass\nhold(1_500_000)")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_the_second_of_two_blocks_is_watched_still_when_the_first_has_ended() -> None:
    finished = run("with watchdog.watch(0.5):\n  with watchdog.watch(0.5): pass\n  hold(30_000_000)")
    assert finished.returncode == 1
