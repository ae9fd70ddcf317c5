"""Whether a process is there."""

import os
import subprocess
import sys

import pytest

from streametrics.concurrency.processes import is_alive


def test_this_process_is_there_and_one_that_has_ended_is_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(os.getpid())
    assert is_alive(child.pid)
    child.communicate()
    assert not is_alive(child.pid)


def test_a_process_of_another_user_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(1)
