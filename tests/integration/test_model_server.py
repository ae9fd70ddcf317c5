"""The model server's states as a client of the whole service sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from streametrics.database.engine import open_engine
from tests.contract.test_summarizers import ENDINGS
from tests.support import ollama_server
from tests.support.media import plain_wav, tone
from tests.support.model_server import SUMMARY, ModelServer, State, closed_port, states
from tests.support.stack import Stack, stack

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)
WARNING = "Warning: Mistral service may be unavailable. Proceeding with transcription..."


@pytest.fixture
def service_with_ollama(tmp_path: Path) -> Iterator[Stack]:
    with stack(tmp_path, SUMMARIZER="ollama", MISTRAL_RETRY_DELAY="0.01") as made:
        yield made


def test_the_summary_is_the_models(service_with_ollama: Stack) -> None:
    with ModelServer(states.ok) as server:
        service_with_ollama.settings["OLLAMA_URL"] = server.url
        service_with_ollama.start_all()

        history = service_with_ollama.history(service_with_ollama.submit(CHUNK))

    result = history[-1]["result"]
    assert result["summary"] == SUMMARY
    assert (result["summary_source"], result["model"], result["warnings"]) == ("ollama", "mistral", [])
    assert all(status.get("message") != WARNING for status in history)


def test_without_a_server_the_job_is_done_with_a_summary_that_says_what_it_is(service_with_ollama: Stack) -> None:
    with closed_port() as url:
        service_with_ollama.settings["OLLAMA_URL"] = url
        service_with_ollama.start_all()

        history = service_with_ollama.history(service_with_ollama.submit(CHUNK))

    last = history[-1]
    assert last["status"] == "done"
    assert last["result"]["text"] == "word0 word1 word2"
    assert last["result"]["summary_source"] == "extractive"
    assert [warning["code"] for warning in last["warnings"]] == ["model_server_unavailable"]
    assert last["result"]["warnings"] == last["warnings"]
    in_work = [status for status in history if status["status"] == "processing"]
    assert all(status["message"] == WARNING for status in in_work)


def test_a_setting_turns_a_missing_summary_into_an_error_that_keeps_the_words(service_with_ollama: Stack) -> None:
    with closed_port() as url:
        service_with_ollama.settings |= {"OLLAMA_URL": url, "SUMMARY_FALLBACK": "error"}
        service_with_ollama.start_all()

        status = service_with_ollama.finished(service_with_ollama.submit(CHUNK))

    assert (status["status"], status["code"]) == ("error", "model_server_unavailable")
    assert "ollama serve" in status["error"]
    assert status["transcription"] == "word0 word1 word2"


def test_a_model_that_is_too_slow_for_a_live_chunk_is_stopped(service_with_ollama: Stack) -> None:
    with ModelServer(states.silent_in_body) as server:
        service_with_ollama.settings |= {"OLLAMA_URL": server.url, "LIVE_DEADLINE_S": "3"}
        service_with_ollama.start_all()

        task_id = service_with_ollama.submit(CHUNK)
        status = service_with_ollama.finished(task_id, within_s=20)

        assert server.hung_up.wait(5), "the model's call was not stopped"
    assert status["result"]["summary_source"] == "extractive"
    assert [warning["code"] for warning in status["warnings"]] == ["model_server_timeout"]
    # And it was delivered in time, not stopped in time and delivered after it
    engine = open_engine(service_with_ollama.database_url)
    with engine.connect() as connection:
        query = text("SELECT finished_at - received_at FROM jobs WHERE task_id = :id")
        taken_s = connection.execute(query, {"id": task_id}).scalar_one()
    engine.dispose()
    assert 2 < taken_s <= 3


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, ModelServer]]:
    """The whole service before a model server that plays what a test scripts; its failures open no breaker."""
    scaled = {"MISTRAL_TIMEOUT": "1", "MISTRAL_MAX_RETRIES": "2", "MISTRAL_RETRY_DELAY": "0.01"}
    with (
        ModelServer() as server,
        stack(
            tmp_path_factory.mktemp("scripted"),
            SUMMARIZER="ollama",
            OLLAMA_URL=server.url,
            BREAKER_FAILURES="1000",
            **scaled,
        ) as service,
    ):
        service.start_all()
        yield service, server


@pytest.mark.parametrize(("script", "ending"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_the_transcript_is_delivered_in_every_state(
    scripted: tuple[Stack, ModelServer], script: tuple[State, ...], ending: str
) -> None:
    service, server = scripted
    server.script(*script)

    status = service.finished(service.submit(CHUNK), within_s=20)

    assert status["status"] == "done"
    result = status["result"]
    assert result["text"] == "word0 word1 word2"
    assert result["segments"]
    if ending.endswith("."):
        assert (result["summary"], result["summary_source"], result["warnings"]) == (ending, "ollama", [])
    else:
        assert (result["summary"], result["summary_source"]) == ("word0 word1 word2…", "extractive")
        (warning,) = result["warnings"]
        assert warning["code"] == ending
        assert len(warning["message"]) > 80


@pytest.mark.ollama
def test_a_real_ollama_writes_the_summary(service_with_ollama: Stack) -> None:
    with ollama_server.running(service_with_ollama.folder / "ollama.log") as url:
        # Time for two shared cores to load a model and write some tokens.
        service_with_ollama.settings |= {"OLLAMA_URL": url, "LIVE_DEADLINE_S": "240", "MISTRAL_TIMEOUT": "200"}
        service_with_ollama.start_all()

        status = service_with_ollama.finished(service_with_ollama.submit(CHUNK), within_s=300)

    assert status["status"] == "done"
    assert (status["result"]["summary_source"], status["result"]["model"]) == ("ollama", "mistral")
    assert status["result"]["summary"].strip()


def test_readiness_tells_a_missing_server_from_a_missing_model(service_with_ollama: Stack) -> None:
    with ModelServer(states.ok, models=("other:latest",)) as server:
        service_with_ollama.settings["OLLAMA_URL"] = server.url
        service_with_ollama.start_api()
        check = requests.get(service_with_ollama.url + "/health/ready", timeout=5).json()["checks"]["model_server"]

    assert (check["ok"], check["condition"]) == (False, "model_missing")
    assert "ollama pull mistral" in check["detail"]
