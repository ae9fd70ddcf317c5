"""A real Ollama for tests, with small weights that answer to the name `mistral`.

TEST_OLLAMA_URL names one that runs already (it must have `mistral`). Else the one that scripts/build_ollama.sh built is
started on a free loopback port and stopped by its process id. Its prose is poor; what it proves is the wire.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_port

CACHE = Path(os.environ.get("STREAMETRICS_CI_CACHE", "~/.cache/streametrics-ci")).expanduser()
WEIGHTS = CACHE / "SmolLM2-135M-Instruct.Q4_1.gguf"
_START_TIMEOUT_S = 30


@contextlib.contextmanager
def running(log: Path) -> Iterator[str]:
    """The base URL of an Ollama that has `mistral`; skips without one on a laptop, fails where CI is `true`."""
    given = os.environ.get("TEST_OLLAMA_URL")
    if given:
        yield given.rstrip("/")
        return
    with started(log) as (url, _):
        yield url


@contextlib.contextmanager
def started(log: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """One of our own, and its process, which leads a group of its own: the model runs in a child of it."""
    binary = built_binary()
    if binary is None or not WEIGHTS.exists():
        reason = "no Ollama for tests in the cache: run scripts/build_ollama.sh, or set TEST_OLLAMA_URL"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    environment = _environment()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binary, "serve"], env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            url = environment["OLLAMA_HOST"]
            _wait_until_it_answers(url, process, log)
            _create_model(binary, environment)
            yield url, process
        finally:
            _stop(process)


def built_binary() -> Path | None:
    """The newest build; its folder's name holds the version and the compiler's flags."""
    built = [path for path in CACHE.glob("ollama-*/ollama") if os.access(path, os.X_OK)]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


def _environment() -> dict[str, str]:
    own = {
        "OLLAMA_HOST": f"http://127.0.0.1:{free_port()}",
        "OLLAMA_MODELS": str(CACHE / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_NO_CLOUD": "1",
        "HOME": str(CACHE),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    return {name: value for name, value in inherited.items() if not name.startswith("OLLAMA_")} | own


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + _START_TIMEOUT_S
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < ends_at and process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if session.get(f"{url}/api/version", timeout=1).ok:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
    pytest.fail(f"Ollama did not start: {log.read_text(errors='replace')[-2000:]}")


def _create_model(binary: Path, environment: dict[str, str]) -> None:
    modelfile = CACHE / "Modelfile"
    modelfile.write_text(f"FROM {WEIGHTS}\n")
    created = subprocess.run(
        [binary, "create", "mistral", "-f", modelfile], env=environment, capture_output=True, timeout=120, check=False
    )
    if created.returncode:
        pytest.fail(f"ollama create failed: {created.stderr.decode(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
