"""The one command in a fresh clone, as a newcomer meets it: real installation, Whisper, queue, and `curl`."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from streametrics.settings import Settings
from tests.support import readme, sounds
from tests.support.ports import free_port
from tests.support.stack import until

ROOT = Path(__file__).parent.parent.parent
HEARD = re.compile(r"quick brown fox", re.IGNORECASE)

#: A first installation fetches wheels where they are not cached yet; a later start takes seconds.
FIRST_START_S = 600.0
LATER_START_S = 60.0

pytestmark = pytest.mark.weights


class Started:
    """`./start.sh` in a folder, its output so far, and all processes below it."""

    def __init__(self, folder: Path, environment: dict[str, str], *options: str) -> None:
        self.folder = folder
        self._log = (folder.parent / f"start-{time.monotonic_ns()}.log").open("w+b")
        self.process = subprocess.Popen(
            ["./start.sh", *options],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def text(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def wait_until_ready(self, within_s: float) -> float:
        """Returns the seconds that it took."""
        began = time.monotonic()

        def look() -> bool:
            assert self.process.poll() is None, self.text
            return "StreaMetrics is ready" in self.text

        until(look, within_s=within_s, what="it is ready")
        return time.monotonic() - began

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """One signal, as Ctrl-C sends it; expects a clean end and no process left."""
        family = self.family()
        self.process.send_signal(number)
        assert self.process.wait(timeout=40) == 0, self.text
        _, alive = psutil.wait_procs(family[1:], timeout=5)
        assert alive == [], self.text

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()  # the guardian ends the rest
            self.process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone in a folder with a space in its name; uncommitted work comes along."""
    folder = tmp_path_factory.mktemp("start") / "a fresh clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """A newcomer's environment, but for ports that are free here."""
    ours = {name.upper() for name in Settings.model_fields} | {"VIRTUAL_ENV", "PYTHONPATH", "CI"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    # Nothing answers there, so that the summary's fallback is what is met.
    no_ollama = f"http://127.0.0.1:{free_port()}"
    return kept | {"PORT": str(free_port()), "QUEUE_PORT": str(free_port()), "OLLAMA_URL": no_ollama}


@pytest.fixture(scope="module")
def first_start(clone: Path, environment: dict[str, str]) -> Iterator[Started]:
    started = Started(clone, environment)
    try:
        started.wait_until_ready(FIRST_START_S)
        yield started
    finally:
        started.kill()


@pytest.fixture(scope="module")
def speech() -> Path:
    """A real person's sentence about a fox."""
    return sounds.clip("en/quick_brown_fox").path


def curl(*arguments: str) -> dict[str, Any]:
    finished = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body: dict[str, Any] = json.loads(finished.stdout)
    return body


def post(environment: dict[str, str], file: Path) -> str:
    fields = ("streamer=me", "language=en", "game=Chess", "time=00:00:00", "title=My stream")
    forms = [part for field in (f"audio=@{file}", *fields) for part in ("-F", field)]
    return str(curl(*forms, f"http://127.0.0.1:{environment['PORT']}/summarize/")["task_id"])


def result_of(environment: dict[str, str], task_id: str, within_s: float = 90) -> dict[str, Any]:
    url = f"http://127.0.0.1:{environment['PORT']}/summarize/status/{task_id}"

    def look() -> dict[str, Any] | None:
        status = curl(url)
        return status if status["status"] in ("done", "error") else None

    return until(look, within_s=within_s, what=f"{task_id} ends")


def test_it_says_what_runs(first_start: Started, environment: dict[str, str]) -> None:
    text = first_start.text
    assert f"http://127.0.0.1:{environment['PORT']}" in text
    # Whichever of the two was the faster one on this machine.
    assert re.search(r"base, (faster-whisper, int8|openai-whisper-fast, \w+ encoder and \w+ decoder) on cpu", text)
    assert "Ollama" in text
    assert "summaries are extractive" in text
    assert f"embedded Valkey on 127.0.0.1:{environment['QUEUE_PORT']}" in text
    assert re.search(r"curl .*-F audio=@.*-F streamer=.*-F language=.*-F game=.*-F time=.*-F 'title=", text)


def test_its_log_speaks_one_language(first_start: Started) -> None:
    # Given what our processes said until the service was ready
    lines = first_start.text.partition("StreaMetrics is ready")[0].splitlines()
    ours = [line for line in lines if re.match(r"(api|transcribe|summarise) +\|", line)]
    # Expect each line to be of the one format
    assert ours
    assert [line for line in ours if " level=" not in line or " job=" not in line] == []


def test_a_recording_comes_back_as_text_and_summary(
    first_start: Started, environment: dict[str, str], speech: Path
) -> None:
    # Given real speech; when it is posted with curl
    status = result_of(environment, post(environment, speech))
    # Expect its words, and an honest summary
    assert status["status"] == "done", status
    result = status["result"]
    assert HEARD.search(result["text"]), result["text"]
    assert result["streamerName"] == "me"
    assert result["summary"]
    assert result["summary_source"] == "extractive"
    assert status["warnings"]


def test_the_readmes_curl_lines_work_as_they_stand(
    first_start: Started, environment: dict[str, str], speech: Path
) -> None:
    # Given the README's lines, with this service's port and a recording under the name that they use
    lines = [line for line in readme.run_by_tests() if line.startswith("curl ")]
    assert any("/summarize/status/" in line for line in lines)
    task_id = ""
    for line in lines:
        words = shlex.split(line.replace(":5000", f":{environment['PORT']}").replace("TASK_ID", task_id))
        body = curl(*[word.replace("@recording.wav", f"@{speech}") for word in words[1:]])
        # Expect an answer to each that is no error
        assert body.get("status") != "error", body
        task_id = body.get("task_id", task_id)
    assert result_of(environment, task_id)["status"] == "done"


def test_a_second_start_says_that_one_runs(first_start: Started, clone: Path, environment: dict[str, str]) -> None:
    again = subprocess.run(["./start.sh"], cwd=clone, env=environment, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert "already running" in again.stderr


def test_a_taken_port_is_a_sentence(first_start: Started, clone: Path, environment: dict[str, str]) -> None:
    # Given another data folder, so that only the port is shared
    other = environment | {"DATA_DIR": str(clone.parent / "other data")}
    again = subprocess.run(["./start.sh"], cwd=clone, env=other, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert f"Port {environment['PORT']} on 127.0.0.1 is already in use" in again.stderr


def test_a_killed_worker_comes_back_and_works(first_start: Started, environment: dict[str, str], speech: Path) -> None:
    # Given the transcribing worker
    worker = next(process for process in first_start.family() if "transcribe@%h" in " ".join(process.cmdline()))
    # When it is killed
    worker.kill()
    # Expect a sentence about it, and the next job to be done
    until(lambda: "transcribe ended unexpectedly" in first_start.text, within_s=5, what="its death is noticed")
    status = result_of(environment, post(environment, speech), within_s=120)
    assert status["status"] == "done", status
    assert HEARD.search(status["result"]["text"])


def test_nothing_stands_in_the_working_folder_but_data(first_start: Started, clone: Path) -> None:
    # Expect git to see nothing new: what a start makes is ignored
    tracked = subprocess.run(
        ["git", "status", "--porcelain", "--ignored"], cwd=clone, capture_output=True, text=True, check=True
    )
    ignored = {line[3:] for line in tracked.stdout.splitlines() if line.startswith("!!")}
    assert "data/" in ignored
    assert ".venv/" in ignored


def test_ctrl_c_leaves_no_process_and_a_second_start_is_quick(
    first_start: Started, clone: Path, environment: dict[str, str]
) -> None:
    # When Ctrl-C is pressed; expect the end of everything
    first_start.stop()
    # When it is started again, without a network
    no_network = environment | {"PIP_INDEX_URL": "http://127.0.0.1:9/", "UV_OFFLINE": "1"}
    port = str(free_port())
    second = Started(clone, no_network, "--port", port)
    try:
        taken_s = second.wait_until_ready(LATER_START_S)
        assert f"http://127.0.0.1:{port}" in second.text
        assert "Installing" not in second.text
        # Expect seconds, and SIGTERM to end it as cleanly
        assert taken_s < 40
        second.stop(signal.SIGTERM)
    finally:
        second.kill()


def test_a_killed_start_leaves_nothing(clone: Path, environment: dict[str, str]) -> None:
    # Given a start, killed in a way that it cannot notice
    started = Started(clone, environment)
    try:
        started.wait_until_ready(LATER_START_S)
        family = started.family()
        started.process.kill()
        started.process.wait()
        # Expect everything else to end
        _, alive = psutil.wait_procs(family[1:], timeout=15)
        assert alive == []
    finally:
        started.kill()
