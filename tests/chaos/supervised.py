"""What `python -m streametrics up` does when its processes are killed: brings each back, and says why in a sentence."""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import requests

from tests.chaos.figures import Figure, all_of, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.service import ROOT
from tests.support.ports import free_port
from tests.support.stack import compiled_once, until

BACK_WITHIN_S = 5.0
#: Words in the command line of each process.
ROLES = {
    "api": "streametrics api",
    "transcribe": "transcribe@%h",
    "summarise": "summarise@%h",
    "queue": "valkey-server",
}
SENTENCE = re.compile(r"(\w+) ended unexpectedly \((?:killed by SIGKILL|exit code).*\)\. It starts again in (\d+) s\.")


def run(form: Form, folder: Path) -> list[Figure]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.log").open("wb") as log:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "streametrics", "up"],
            env=_environment(folder, port),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        up = psutil.Process(process.pid)
        try:
            until(lambda: _is_ready(port), within_s=180, what="everything is ready")
            seconds = [_kill_and_wait(up, role) for role in ROLES]
            until(lambda: _is_ready(port), within_s=180, what="everything is ready again")
            pauses = _kill_again_and_again(up, folder / "up.log", 3)
            family = [child.pid for child in up.children(recursive=True)]
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            left = [pid for pid in family if _is_alive(pid)]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)
    told = {name for name, _ in SENTENCE.findall((folder / "up.log").read_text(errors="replace"))}
    grows = all(later > earlier for earlier, later in itertools.pairwise(pauses))
    return [
        worst_time("-", "the supervisor brings a killed process back", seconds, BACK_WITHIN_S, quick=form.quick),
        all_of("-", "deaths told in a plain sentence, by process", len(told & ROLES.keys()), len(ROLES)),
        all_of("-", "the pause grows when a process keeps dying", int(grows), 1, f"pauses of {pauses} s"),
        none_of("-", "processes left after a stop", len(left), len(family)),
    ]


def _environment(folder: Path, port: int) -> dict[str, str]:
    return {
        **compiled_once(),
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "QUEUE_PORT": str(free_port()),
        "WHISPER_ENGINE": "fake",
        "SUMMARIZER": "fake",
    }


def _find(up: psutil.Process, role: str) -> int | None:
    for child in up.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if ROLES[role] in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                return child.pid
    return None


def _kill_and_wait(up: psutil.Process, role: str) -> float:
    """Seconds until another process of this role runs."""
    old = until(lambda: _find(up, role), within_s=60, what=f"{role} runs")
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: _find(up, role) not in (None, old), within_s=60, what=f"{role} is back")
    return time.monotonic() - began


def _kill_again_and_again(up: psutil.Process, log: Path, times: int) -> list[int]:
    """The pauses that the supervisor announces for one process that dies young each time."""
    before = len(SENTENCE.findall(log.read_text(errors="replace")))
    for _ in range(times):
        _kill_and_wait(up, "summarise")
    found = SENTENCE.findall(log.read_text(errors="replace"))[before:]
    return [int(pause) for name, pause in found if name == "summarise"]


def _is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).ok
    except requests.RequestException:
        return False


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
