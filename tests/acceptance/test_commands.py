"""The commands beside the service, with real weights: `transcribe`, `doctor`, `weights`, and those of the README."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streametrics.settings import Settings
from tests.support import readme, sounds
from tests.support.ports import free_port

pytestmark = pytest.mark.weights


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No settings but free ports and a data folder of one's own."""
    names = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    ports = {"PORT": str(free_port()), "QUEUE_PORT": str(free_port())}
    return kept | ports | {"DATA_DIR": str(tmp_path / "data")}


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "streametrics", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("engine", ["faster-whisper", "openai-whisper", "openai-whisper-fast"])
def test_a_recording_becomes_text_without_a_server(engine: str, environment: dict[str, str]) -> None:
    clip = sounds.clip("en/quick_brown_fox")
    finished = run(environment | {"WHISPER_ENGINE": engine}, "transcribe", str(clip.path))
    assert finished.returncode == 0, finished.stderr
    assert "quick brown fox" in finished.stdout.lower()
    assert len(finished.stdout.splitlines()) == 1


def test_a_recording_becomes_subtitles(environment: dict[str, str]) -> None:
    clip = sounds.clip("en/counting")
    finished = run(environment, "transcribe", str(clip.path), "--format", "vtt", "--language", "en")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("WEBVTT\n\n00:00:0")


def test_the_doctor_tries_the_real_engine(environment: dict[str, str]) -> None:
    finished = run(environment, "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(finished.stdout)}
    assert finished.returncode == 0, finished.stdout
    assert checks["engine"]["verdict"] == "OK"
    assert "whisper" in checks["engine"]["detail"]
    assert checks["decoder"]["verdict"] == "OK"


def test_weights_are_listed(environment: dict[str, str]) -> None:
    finished = run(environment, "weights")
    base = [line for line in finished.stdout.splitlines() if line.startswith("base ")]
    assert len(base) == 2
    assert any("ctranslate2" in line and "yes" in line for line in base)


def test_the_readmes_commands_work_as_they_stand(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the lines of the README, with recordings under the names that they use
    monkeypatch.chdir(tmp_path)
    Path("recordings").mkdir()
    for name in ("recording.wav", "recordings/one.wav"):
        shutil.copyfile(sounds.clip("en/hello_world").path, name)
    beginning = ".venv/bin/python -m streametrics "
    ours = [line.removeprefix(beginning) for line in readme.run_by_tests() if line.startswith(beginning)]
    assert ours
    for line in ours:
        # Expect each to end well
        finished = run(environment, *shlex.split(line))
        assert finished.returncode == 0, f"{line}: {finished.stdout}{finished.stderr}"
    assert Path("recording.srt").read_text().startswith("1\n00:00:0")
