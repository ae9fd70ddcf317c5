"""Every route of the description, tried with every scope, without a key, and with the id of another owner's job."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import insert, select

from streametrics.database.engine import Database
from streametrics.database.stream_tables import chapters, streams
from streametrics.database.tables import jobs
from streametrics.streams.placing import SentChunk, first_placement
from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, Stack, stack

#: What each operation needs. A route that is new has to be written down here, by somebody who has thought about it.
SCOPES = {
    "GET /": None,
    "GET /health/live": None,
    "GET /health/ready": None,
    "GET /metrics": "admin",
    "GET /summarize/status/{task_id}": "read",
    "POST /summarize/": "submit",
    "POST /summarize/{task_id}/resummarize": "submit",
    "DELETE /summarize/{task_id}": "submit",
    "GET /v1/jobs": "read",
    "GET /v1/jobs/{job_id}": "read",
    "GET /v1/jobs/{job_id}/transcript": "read",
    "GET /v1/jobs/{job_id}/transcript.{format}": "read",
    "GET /v1/jobs/{job_id}/summary": "read",
    "GET /v1/jobs/{job_id}/summary.txt": "read",
    "GET /v1/jobs/{job_id}/chapters": "read",
    "GET /v1/jobs/{job_id}/chapters.{format}": "read",
    "DELETE /v1/jobs/{job_id}": "submit",
    "POST /v1/jobs": "submit",
    "POST /v1/jobs/{job_id}/resummarize": "submit",
    "GET /v1/streams": "read",
    "GET /v1/streams/{stream_id}": "read",
    "GET /v1/streams/{stream_id}/coverage": "read",
    "GET /v1/streams/{stream_id}/transcript": "read",
    "GET /v1/streams/{stream_id}/transcript.{format}": "read",
    "GET /v1/streams/{stream_id}/recap": "read",
    "GET /v1/streams/{stream_id}/chapters": "read",
    "GET /v1/streams/{stream_id}/chapters.{format}": "read",
    "PATCH /v1/streams/{stream_id}/chapters/{chapter_id}": "submit",
    "POST /v1/streams/{stream_id}/end": "submit",
    "GET /v1/streams/{stream_id}/markers": "read",
    "POST /v1/streams/{stream_id}/markers": "submit",
    "POST /v1/streams/{stream_id}/forget": "submit",
    "POST /v1/streams/{stream_id}/pause": "submit",
    "POST /v1/streams/{stream_id}/resume": "submit",
    "DELETE /v1/streams/{stream_id}": "submit",
    "GET /v1/streamers": "read",
    "GET /v1/streamers/{key}": "read",
    "PATCH /v1/streamers/{key}": "submit",
    "GET /v1/streamers/{key}/stream": "read",
    "GET /v1/search": "read",
    "POST /v1/audio/transcriptions": "submit",
    "POST /v1/audio/transcriptions.{format}": "submit",
    "POST /v1/audio/translations": "submit",
    "POST /v1/audio/translations.{format}": "submit",
    "GET /v1/keys": "submit",
    "POST /v1/keys": "submit",
    "DELETE /v1/keys/{key_id}": "submit",
    "GET /v1/status": "read",
    "GET /v1/models": "read",
    "GET /v1/models/{model_id}": "read",
}
ORDER = ["read", "submit", "admin"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("scopes")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(service: Stack) -> dict[str, str]:
    """A key of each scope, and the one whose job the others ask for."""
    made = {scope: service.add_key(scope, scope) for scope in ORDER}
    made["owner"] = service.add_key("owner", "submit")
    service.start_api()
    return made


def operations(service: Stack) -> dict[str, dict[str, Any]]:
    paths = requests.get(f"{service.url}/openapi.json", timeout=30).json()["paths"]
    return {f"{method.upper()} {path}": found for path, methods in paths.items() for method, found in methods.items()}


def begin_stream(service: Stack, task_id: str) -> tuple[str, str]:
    """A stream of the job's owner, as a chunk begins one; returns its streamer's key and its id."""
    streamer, stream_id = f"s{task_id}", f"strm_{task_id[:30]}"
    with contextlib.closing(Database(service.database_url)) as database, database.write() as connection:
        owner = connection.execute(select(jobs.c.owner).where(jobs.c.task_id == task_id)).scalar_one()
        timeline = first_placement(SentChunk("", 0.0, 1.0)).timeline
        texts = dict.fromkeys(("streamer", "title", "game"), "")
        numbers = dict.fromkeys(
            ("started_at", "first_received_at", "last_received_at", "start_s", "end_s", "lag_s", "updated_at"), 0.0
        )
        counts = dict.fromkeys(("chunk_count", "segment_count", "state_version"), 1)
        connection.execute(
            insert(streams).values(
                id=stream_id,
                owner=owner,
                streamer_key=streamer,
                clock=timeline.clock,
                timeline=timeline.to_json(),
                summary_languages=[],
                **{**texts, **numbers, **counts},
            )
        )
        number = connection.execute(select(streams.c.number).where(streams.c.id == stream_id)).scalar_one()
        chapter = {"stream": number, "place": 1, "start_s": 0.0, "end_s": 1.0, "boundary": "start", "title": ""}
        chapter |= {"summary": "", "keywords": [], "sentences": [], "summary_source": "extractive", "closed_at": 0.0}
        connection.execute(insert(chapters).values(chapter))
    return streamer, stream_id


def test_every_route_says_what_it_needs_and_no_other_is_there(service: Stack, keys: dict[str, str]) -> None:
    described = {name: found["x-required-scope"] for name, found in operations(service).items()}
    assert described == SCOPES


@pytest.mark.parametrize("operation", SCOPES)
def test_a_route_is_closed_to_smaller_scopes_and_to_other_owners(
    operation: str, service: Stack, keys: dict[str, str]
) -> None:
    form = {"data": FIELDS, "files": {"audio": ("a.wav", plain_wav(tone(1.0, 16_000), 16_000))}}
    owner = {"X-API-Key": keys["owner"]}
    sent = requests.post(f"{service.url}/summarize/", headers=owner, timeout=30, **form)  # type: ignore[arg-type]
    task_id = sent.json()["task_id"]
    streamer, stream_id = begin_stream(service, task_id)
    ids = {"task_id": task_id, "job_id": task_id, "stream_id": stream_id, "key": streamer, "model_id": "{model_id}"}
    ids |= {"format": "vtt", "key_id": "none", "chapter_id": "ch_1"}
    if "{key_id}" in operation:
        wanted = {"name": "the owner's", "scope": "read"}
        made = requests.post(f"{service.url}/v1/keys", headers=owner, json=wanted, timeout=30)
        ids["key_id"] = made.json()["id"]
    method, path = operation.format(**ids).split(" ")
    needed = SCOPES[operation]

    def status(key: str | None) -> int:
        headers = {"X-API-Key": key} if key else {}
        body = {"title": "Endgame"} if method == "PATCH" else None
        return requests.request(method, service.url + path, headers=headers, json=body, timeout=30).status_code

    # Expect nobody without a key, or with a wrong one, to get in where one is needed
    assert {status(None), status("sm_wrong")} == {401} if needed else {status(None)} <= {200, 503}
    for scope in ORDER:
        if needed is not None and ORDER.index(scope) < ORDER.index(needed):
            assert status(keys[scope]) == 403
        elif ("_id}" in operation or "{key}" in operation) and "model" not in operation and scope != "admin":
            assert status(keys[scope]) == 404, "another owner's job is one that never was"
        else:
            assert status(keys[scope]) not in (401, 403) + (() if "model_id" in operation else (404,))
