"""Whatever others wrote into Redis: polls, readiness and workers go on, and nobody is told what is not so."""

import base64
import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import requests

from streametrics.domain.job import JobKind, JobRequest, JobState, Snapshot, Stage
from tests.support.jobs import Jobs
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

REQUEST = JobRequest(streamer="s", language="fr", game="", time="0", title="")
DEEP = "[" * 60_000
#: Values that no version of ours wrote, each under a name for the test.
VALUES: dict[str, bytes] = {
    "binary": bytes(range(128, 256)),
    "empty": b"",
    "no JSON": b"{",
    "deep": DEEP.encode(),
    "a list": b"[1]",
    "a number": b"1e999",
    "not a number": b"NaN",
    "huge": b"9" * 5_000_000,
    "surrogate": b'"\\ud800"',
}


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    with contextlib.closing(Jobs(fresh.own_settings(lease_s=600))) as made:
        yield made


@pytest.fixture
def client(fresh: Stack) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(fresh.redis_url) as made:
        yield made


def in_work(jobs: Jobs) -> str:
    """A live job that a worker transcribes."""
    key = jobs.connections.audio.writer().commit()
    task_id = jobs.service.accept(REQUEST, kind=JobKind.LIVE, audio_key=key, container="wav")
    assert jobs.claim(task_id, Stage.TRANSCRIBE, "w") is not None
    return task_id


def fill(client: "redis.Redis", key: str, value: bytes | None) -> None:
    """This value under a key, None for a value of a type that nobody of us reads."""
    client.delete(key)
    if value is None:
        client.xadd(key, {"a": "b"})
    else:
        client.set(key, value)


def test_polls_readiness_and_metrics_outlive_any_value(fresh: Stack, jobs: Jobs, client: "redis.Redis") -> None:
    fresh.start_api()
    for name, value in {**VALUES, "wrong type": None}.items():
        task_id = in_work(jobs)
        # Given the value under each key that we read, and in each field
        keys = {key for key in client.keys("streametrics:*") if b"{" not in key}
        keys |= {f"streametrics:job:{{{task_id}}}:{kind}".encode() for kind in ("stamp", "now", "events")}
        keys |= {b"streametrics:jobs:stamp", b"streametrics:counts", b"streametrics:worker:x@y:-1"}
        for key in {*keys, b"streametrics:worker:\xff\xfe"}:
            fill(client, key, value)
        for key in (f"streametrics:job:{{{task_id}}}:now", "streametrics:counts") if value is not None else ():
            client.delete(key)
            fields = (
                "attempt",
                "rank",
                "progress",
                "seq",
                "body",
                "transcription",
                "a|b",
                "streametrics_jobs_ended||x|y",
            )
            client.hset(key, mapping=dict.fromkeys(fields, value))
        # Expect each answer as if there were nothing
        for _ in range(2):
            answer = requests.get(f"{fresh.url}/summarize/status/{task_id}", timeout=10)
            assert answer.status_code == 200, name
            assert (answer.json()["current_step"], answer.json()["progress"]) == ("transcribing", 0), name
            assert answer.json()["transcription"] is None, name
        assert requests.get(f"{fresh.url}/metrics", timeout=10).status_code == 200, name
        ready = requests.get(f"{fresh.url}/health/ready", timeout=10)
        assert ready.status_code == 503, name
        assert "No worker has been seen" in ready.json()["checks"]["transcribe_worker"]["detail"], name
        # And progress to be published again, and told
        jobs.connections.progress.publish(task_id, 1, Snapshot(JobState.TRANSCRIBING, 7, "words"))
        told = requests.get(f"{fresh.url}/summarize/status/{task_id}", timeout=10).json()
        assert (told["progress"], told["transcription"]) == (7, "words"), name
    assert "Traceback" not in fresh.log()
    assert 0 < fresh.log().count("event=garbage_in_redis") < 50


#: What another account may claim about a job that is being transcribed, as the fields of its snapshot.
FORGED: tuple[dict[str, str], ...] = (
    {"progress": "100", "body": '{"state": "done", "partial_summary": "forged", "eta_s": 0}'},
    {"progress": "99", "body": '{"state": "summarizing", "partial_summary": "forged", "eta_s": 0}'},
    {"progress": "100", "body": '{"state": "transcribing", "partial_summary": "forged", "eta_s": NaN}'},
    {"progress": "-5", "body": '{"state": "transcribing", "partial_summary": "\\ud800", "eta_s": -1e300}'},
    {"progress": "100", "body": '{"state": "transcribing", "partial_summary": null, "eta_s": true}'},
    {"progress": "9" * 5000, "body": '{"state": "failed", "partial_summary": null, "eta_s": null}'},
)


def test_a_forged_snapshot_says_no_more_than_the_row_allows(fresh: Stack, jobs: Jobs, client: "redis.Redis") -> None:
    for fields in FORGED:
        task_id = in_work(jobs)
        client.hset(f"streametrics:job:{{{task_id}}}:now", mapping=fields)

        body = jobs.service.status(task_id).body()

        assert (body["status"], body["current_step"]) == ("processing", "transcribing")
        assert 0 <= body["progress"] <= 49
        assert "partial_summary" not in body
        assert "eta_s" not in body
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def message(task: object, arguments: object, **changes: object) -> dict[str, Any]:
    """A message on a list, as Celery writes one."""
    body = json.dumps([arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    headers = {"lang": "py", "task": task, "id": str(uuid.uuid4()), "eta": None, "expires": None, "retries": 0}
    properties = {"delivery_info": {"exchange": "", "routing_key": "live"}, "body_encoding": "base64"}
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers | {"timelimit": [None, None], "argsrepr": "", "kwargsrepr": ""},
        "properties": properties | {"delivery_tag": str(uuid.uuid4()), "priority": 0, "delivery_mode": 2},
    } | changes


TRANSCRIBE = "streametrics.transcribe"
#: What others may write onto a queue.
MESSAGES: list[bytes] = [
    *VALUES.values(),
    *(json.dumps(each).encode() for each in (None, [], {}, "text", 1, {"headers": {}}, {"properties": None})),
    *(
        json.dumps(each).encode()
        for each in (
            message("celery.backend_cleanup", []),
            message("streametrics.nothing", ["id"]),
            message([TRANSCRIBE], ["id"]),
            message(TRANSCRIBE, []),
            message(TRANSCRIBE, [1]),
            message(TRANSCRIBE, [["id"]]),
            message(TRANSCRIBE, ["\x00", "\ud800"]),
            message(TRANSCRIBE, ["id\x00"]),
            message(TRANSCRIBE, ["x" * 100_000]),
            message(TRANSCRIBE, {"task_id": "id"}),
            message(TRANSCRIBE, ["nobody.knows.this"]),
            message("streametrics.summarise", ["id"]),
            message(TRANSCRIBE, ["id"], **{"content-type": "application/x-python-serialize"}),
            message(TRANSCRIBE, ["id"], **{"content-encoding": "no encoding"}),
            message(TRANSCRIBE, ["id"], body="!"),
            message(TRANSCRIBE, ["id"], body=base64.b64encode(DEEP.encode()).decode()),
            message(TRANSCRIBE, ["id"], body=base64.b64encode(b'{"method": [1], "arguments": 2}').decode()),
            message(TRANSCRIBE, ["id"], headers=[]),
            message(TRANSCRIBE, ["id"], properties={"delivery_tag": 1}),
        )
    ),
]


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_outlives_any_message(pool: str, fresh: Stack, client: "redis.Redis") -> None:
    # Given garbage on its queue, in what is not acknowledged, and to its remote control
    client.lpush("live", *MESSAGES)
    for number, each in enumerate(MESSAGES):
        client.hset("unacked", f"tag{number}", each)
        client.zadd("unacked_index", {f"tag{number}": 1})
    client.sadd("_kombu.binding.live", b"\xff", "a", "\x06\x16\x06\x16stranger")
    fresh.start_api()
    worker = fresh.start_worker(pool=pool)
    for each in MESSAGES:
        client.publish("/0.celery.pidbox", each)
    # When a job comes behind it
    task_id = fresh.submit(plain_wav(tone(1.0, 16_000), 16_000))
    # Expect it to be done, by a worker that has never ended
    until(lambda: fresh.status(task_id).get("transcription"), within_s=30, what="it is transcribed")
    assert worker.poll() is None
    assert client.exists("stranger") == 0
    until(lambda: client.zcount("unacked_index", 0, 10) == 0, within_s=30, what="what cannot be read is dropped")
    log = fresh.log()
    assert log.count("event=garbage_in_redis") >= len(MESSAGES)
    for word in ("Traceback", "Unrecoverable", "connection to broker lost"):
        assert word not in log, log[log.index(word) - 500 : log.index(word) + 2000]


def test_a_worker_and_an_upload_mend_keys_of_a_wrong_type(fresh: Stack, client: "redis.Redis") -> None:
    fresh.start_api()
    worker = fresh.start_worker()
    for key in ("live", "live\x06\x163", "unacked", "unacked_index", "_kombu.binding.live"):
        fill(client, key, b"text")

    task_id = fresh.submit(plain_wav(tone(1.0, 16_000), 16_000))

    until(lambda: fresh.status(task_id).get("transcription"), within_s=30, what="it is transcribed")
    assert worker.poll() is None
    assert "Traceback" not in fresh.log()
