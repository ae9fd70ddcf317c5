"""What the owner of a stream says about it, at a real service with workers."""

import time

import pytest
import redis
import requests

from tests.integration.test_jobs_api import get, problem
from tests.integration.test_streams_api import SOUND, send, stream_of
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until


def post(service: Stack, path: str, body: object = None) -> requests.Response:
    return requests.post(service.url + path, json=body, timeout=10)


def test_a_stretch_is_forgotten_everywhere(service: Stack) -> None:
    sent = send(service, "forgets", "00:00:00", "00:00:03", "00:00:06")
    path = f"/v1/streams/{stream_of(service, 'forgets', 3)['id']}"
    service.finished(sent[1])
    began = time.monotonic()
    done = post(service, f"{path}/forget", {"start": 3.05, "end": 5.9})
    assert time.monotonic() - began < 1
    assert done.json() == {
        "stream_id": path.rsplit("/", 1)[-1],
        "start": 3.05,
        "end": 5.9,
        "segments": done.json()["segments"],
        "jobs": 1,
        "state_version": get(service, path).json()["state_version"],
    }
    assert done.json()["segments"] >= 1
    # Expect every view to be without it at once, the client's own included
    words = get(service, f"{path}/transcript").json()
    assert all(each["end"] <= 3.05 or each["start"] >= 5.9 for each in words["segments"])
    assert [gap["reason"] for gap in get(service, path).json()["coverage"]["gaps"]] == ["forgotten"]
    assert requests.get(f"{service.url}/summarize/status/{sent[1]}", timeout=10).status_code == 410
    assert problem(get(service, f"/v1/jobs/{sent[1]}/transcript"))["status"] == 410
    assert service.status(sent[0])["status"] == "done"
    assert sent[1] not in everything_in_redis(service)


def everything_in_redis(service: Stack) -> str:
    """All keys with their values, but for the versions of jobs, which tell that a job has changed."""
    found: list[object] = []
    with redis.Redis.from_url(service.redis_url) as client:
        for key in client.scan_iter(count=1000):
            if not key.endswith(b":stamp"):
                kind = client.type(key)
                read = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}.get(kind)
                found += [key, read(key) if read else client.dump(key)]
    return str(found)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"last_s": 5, "start": 1}, "either 'start' and 'end', or 'last_s'"),
        ({"start": 1}, "end: Field required"),
        ({"start": 2, "end": 1}, "exchange them"),
        ({"last_s": 0}, "greater than 0"),
        ({"last_s": "x"}, "valid number"),
        ({"seconds": 5}, "Extra inputs are not permitted"),
        ([], "no JSON object"),
        ({"last_s": 5, "why": "x" * 2000}, "too long"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(service: Stack, body: object, told: str) -> None:
    send(service, "says no", "now")
    path = f"/v1/streams/{stream_of(service, 'says no', 1)['id']}/forget"
    found = problem(post(service, path, body))
    assert (found["status"], found["code"]) == (422, "invalid_request")
    assert told in found["detail"]


def test_what_is_still_to_be_said_is_not_forgotten(service: Stack) -> None:
    send(service, "says no", "now")
    path = f"/v1/streams/{stream_of(service, 'says no', 1)['id']}/forget"
    found = problem(post(service, path, {"start": 1e8, "end": 2e8}))
    assert (found["status"], found["code"]) == (409, "stream_too_short")
    assert "long so far" in found["detail"]


def test_of_an_unknown_stream_nothing_is_forgotten(service: Stack) -> None:
    assert problem(post(service, "/v1/streams/strm_none/forget", {"last_s": 5}))["code"] == "stream_unknown"


def test_while_it_is_paused_nobody_listens(service: Stack) -> None:
    send(service, "Pauses", "00:00:00")
    path = f"/v1/streams/{stream_of(service, 'pauses', 1)['id']}"
    for _ in range(2):
        paused = post(service, f"{path}/pause")
        assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert get(service, path).json()["status"] == "paused"
    assert [each["id"] for each in get(service, "/v1/streams", status="paused").json()["data"]] == [path[12:]]
    # Expect a chunk to be taken as ever, to be done when it is asked for first, and its sound to be gone
    task_id = service.submit(SOUND, streamer="PAUSES", time="00:00:03")
    body = service.status(task_id)
    assert (body["status"], body["result"]["text"], body["result"]["summary"]) == ("done", "", "")
    assert [warning["code"] for warning in body["warnings"]] == ["paused"]
    assert service.audio_files == []
    below = requests.post(
        f"{service.url}/v1/jobs", files={"audio": SOUND}, data={"kind": "live", "streamer": "pauses"}, timeout=10
    )
    assert (below.status_code, below.json()["status"], below.json()["duration_s"]) == (202, "completed", None)
    # And others to be heard, and a recording of the same streamer too
    (other,) = send(service, "does not pause", "now")
    assert service.status(other)["result"]["text"]
    long = service.submit(plain_wav(tone(70.0, 16_000), 16_000), streamer="pauses")
    assert service.finished(long)["result"]["text"]
    until(
        lambda: [gap["reason"] for gap in get(service, path).json()["coverage"]["gaps"]] == ["paused"],
        within_s=20,
        what="the pause is told",
    )
    # When it goes on, expect what is said to be heard again
    assert post(service, f"{path}/resume").json()["status"] == "live"
    (last,) = send(service, "pauses", "00:00:30")
    assert service.status(last)["result"]["text"]
    assert post(service, f"{path}/end").json()["status"] == "ended"
    refused = problem(post(service, f"{path}/pause"))
    assert (refused["status"], refused["code"]) == (409, "stream_ended")


def patch(service: Stack, path: str, body: object) -> requests.Response:
    return requests.patch(service.url + path, json=body, timeout=10)


def test_a_streamers_words_are_hidden(service: Stack) -> None:
    send(service, "Hides words", "00:00:00")
    stream = stream_of(service, "hides words", 1)
    path = f"/v1/streamers/{stream['streamer']['key']}"
    assert get(service, path).json() == {
        "streamer": {"key": "hides~20words", "name": "Hides words"},
        "paused": False,
        "paused_at": None,
        "hidden_words": [],
        "summary_languages": [],
        "retention": {"transcript_days": None, "recap_days": None},
    }
    word = get(service, f"/v1/streams/{stream['id']}/transcript").json()["segments"][0]["text"].split()[0]
    changed = patch(service, path, {"hidden_words": [word], "summary_languages": ["French"]})
    assert (changed.status_code, changed.json()["hidden_words"]) == (200, [word])
    assert changed.json() == get(service, "/v1/streamers/Hides%20words").json()
    assert changed.json()["summary_languages"] == ["fr"]
    for kind in ("txt", "srt", "vtt", "json"):
        text = get(service, f"/v1/streams/{stream['id']}/transcript", format=kind).text
        assert "***" in text and word not in text.replace(":", " ").split()
    assert get(service, "/v1/search", q=word, streamer="hides words").json()["data"] == []
    # What is left out stays as it is
    kept = patch(service, path, {"retention": {"transcript_days": 1}, "paused": True}).json()
    assert kept["retention"] == {"transcript_days": 1.0, "recap_days": None}
    assert (kept["hidden_words"], kept["paused"]) == ([word], True)
    assert get(service, f"/v1/streams/{stream['id']}").json()["status"] == "paused"
    assert patch(service, path, {"paused": False}).json()["paused_at"] is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"hidden_words": ["!?"]}, "a letter or a digit"),
        ({"hidden_words": ["x" * 61]}, "at most 60 characters"),
        ({"hidden_words": ["word"] * 201}, "at most 200 items"),
        ({"hidden_words": "word"}, "valid list"),
        ({"hidden_words": ["a\ud800"]}, "valid string"),
        ({"summary_languages": ["Klingonish"]}, "Unknown language"),
        ({"retention": {"transcript_days": -1}}, "greater than or equal to 0"),
        ({"retention": {"days": 1}}, "Extra inputs"),
        ({"paused": "yes"}, "valid boolean"),
        ({"glossary": []}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_read_are_told(service: Stack, body: object, told: str) -> None:
    send(service, "says no", "now")
    stream_of(service, "says no", 1)
    found = problem(patch(service, "/v1/streamers/says%20no", body))
    assert (found["status"], found["code"]) == (422, "invalid_request")
    assert told in found["detail"]
    assert problem(patch(service, "/v1/streamers/nobody", {}))["code"] == "stream_unknown"


def test_places_are_marked(service: Stack) -> None:
    send(service, "marks", "00:00:00", "00:00:03")
    stream = stream_of(service, "marks", 2)
    path = f"/v1/streams/{stream['id']}/markers"
    assert get(service, path).json() == {"data": [], "next_cursor": None}
    first = post(service, path, {"description": "the rook is lost", "position_s": 1.5})
    assert (first.status_code, first.json()["position_s"], first.json()["stream_id"]) == (201, 1.5, stream["id"])
    assert first.json()["id"].startswith("mrk_") and first.json()["description"] == "the rook is lost"
    # Where nothing is said, expect it to lie where the stream stands
    second = post(service, path, {})
    assert second.json()["position_s"] >= 5.9 and second.json()["description"] == ""
    # A call that is repeated marks once
    again = [
        requests.post(service.url + path, json={"position_s": 4}, headers={"Idempotency-Key": "k-marks"}, timeout=10)
        for _ in range(2)
    ]
    assert again[0].json() == again[1].json() and again[1].headers["Idempotent-Replayed"] == "true"
    page = get(service, path, limit=2).json()
    assert [each["position_s"] for each in page["data"]] == [4.0, second.json()["position_s"]]
    rest = get(service, path, limit=2, cursor=page["next_cursor"]).json()
    assert rest == {"data": [first.json()], "next_cursor": None}
    # What is forgotten takes its markers along
    post(service, f"/v1/streams/{stream['id']}/forget", {"start": 3.5, "end": 4.5})
    assert len(get(service, path).json()["data"]) == 2
    repeated = requests.post(
        service.url + path, json={"position_s": 4}, headers={"Idempotency-Key": "k-marks"}, timeout=10
    )
    assert problem(repeated)["code"] == "marker_erased"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"position_s": 1e8}, 409, "not that long yet"),
        ({"position_s": -1}, 422, "greater than or equal to 0"),
        ({"description": "x" * 141}, 422, "at most 140 characters"),
        ({"description": 5}, 422, "valid string"),
        ({"at": 5}, 422, "Extra inputs"),
    ],
)
def test_what_cannot_be_marked_is_told(service: Stack, body: object, status: int, told: str) -> None:
    send(service, "says no", "now")
    stream_id = stream_of(service, "says no", 1)["id"]
    found = problem(post(service, f"/v1/streams/{stream_id}/markers", body))
    assert found["status"] == status and told in found["detail"]
