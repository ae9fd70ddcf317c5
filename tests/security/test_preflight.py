"""Unsafe settings, given to the real commands: each is refused by name, with what to set, and nothing starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from streametrics.settings import Settings
from tests.support.ports import free_port
from tests.support.stack import RedisServer

LONG_KEY = "a key that is long enough"

UNSAFE = {
    "an open address without a key": ({"HOST": "0.0.0.0"}, "INTERNAL_API_KEY is not set"),
    "an open IPv6 address without a key": ({"HOST": "::"}, "INTERNAL_API_KEY is not set"),
    "an open address with a short key": ({"HOST": "0.0.0.0", "INTERNAL_API_KEY": "short"}, "too short"),
    "an open address with the published key": (
        {"HOST": "0.0.0.0", "INTERNAL_API_KEY": "streametrics-secret"},
        "INTERNAL_API_KEY is the published one",
    ),
    "every page": ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS=*"),
    "every page of a domain": ({"ALLOWED_ORIGINS": "https://*.example"}, "ALLOWED_ORIGINS=https://*.example"),
    "every sandboxed page": ({"ALLOWED_ORIGINS": "null"}, "ALLOWED_ORIGINS=null"),
    "every page, on an open address": (
        {"HOST": "0.0.0.0", "INTERNAL_API_KEY": LONG_KEY, "ALLOWED_ORIGINS": "*"},
        "ALLOWED_ORIGINS=*",
    ),
    "every name": ({"HOST": "0.0.0.0", "INTERNAL_API_KEY": LONG_KEY, "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS=*"),
    "a lease beyond the deadline": ({"LEASE_S": "600"}, "LEASE_S=600"),
    "a limit beyond what the queue waits": ({"TASK_TIME_LIMIT_S": "720"}, "TASK_TIME_LIMIT_S=720"),
    "a data folder under a file": ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR=/dev/null/data"),
}


def start(folder: Path, command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    names = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    defaults = {"PORT": str(free_port()), "QUEUE_PORT": str(free_port()), "DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-m", "streametrics", command],
        env={**environment, "WHISPER_ENGINE": "fake", "SUMMARIZER": "fake", **defaults, **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(finished: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    said = finished.stderr + finished.stdout
    assert sentence in said, said
    assert "Traceback" not in said
    assert finished.returncode == 2, said


@pytest.mark.parametrize("name", UNSAFE)
def test_the_api_does_not_start_with(name: str, tmp_path: Path) -> None:
    settings, sentence = UNSAFE[name]
    finished = start(tmp_path, "api", **settings)
    refused(finished, sentence)
    for key in ("short", LONG_KEY):
        assert f"={key}" not in finished.stderr
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    finished = start(tmp_path, "up", HOST="0.0.0.0", LEASE_S="600", ALLOWED_ORIGINS="*")
    for sentence in ("HOST=0.0.0.0", "LEASE_S=600", "ALLOWED_ORIGINS=*"):
        refused(finished, sentence)


def test_a_folder_that_everybody_may_write_to(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    refused(start(tmp_path, "api"), "chmod o-w")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    refused(start(tmp_path, "api"), "cannot be written to")


def test_a_queue_that_drops_jobs(tmp_path: Path) -> None:
    # Given a queue that was told to drop what it likes when memory is short
    (tmp_path / "queue").mkdir()
    server = RedisServer(tmp_path / "queue")
    server.start()
    try:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        # Expect neither the API nor a worker to start on it
        refused(start(tmp_path, "api", REDIS_URL=server.url), "maxmemory-policy")
        worker = start(tmp_path, "worker", REDIS_URL=server.url)
        assert worker.returncode != 0
        assert "maxmemory-policy is allkeys-lru" in worker.stdout + worker.stderr
    finally:
        server.stop()


def test_the_doctor_shows_it(tmp_path: Path) -> None:
    finished = start(tmp_path, "doctor", LEASE_S="600")
    assert finished.returncode == 1
    assert "FAIL  settings   LEASE_S=600" in finished.stdout
