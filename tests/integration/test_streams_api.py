"""`/v1/streams` of a real service: a chunk joins beside its answer, and its stream is had in every form."""

import re
import time
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
import requests

from streametrics.streams.streamer_keys import streamer_key
from tests.integration.test_jobs_api import get, problem
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until
from tests.support.subtitle_lint import violations

RATE = 16_000
SOUND = plain_wav(tone(3.0, RATE), RATE)


def stream_of(service: Stack, streamer: str, jobs: int) -> dict[str, Any]:
    """The streamer's stream, once so many jobs have joined it."""

    def look() -> dict[str, Any] | None:
        answer = get(service, f"/v1/streamers/{quote(streamer_key(streamer))}/stream")
        return answer.json() if answer.ok and answer.json()["state_version"] >= jobs else None

    return until(look, within_s=20, what=f"{jobs} chunks of {streamer} have joined")


def send(service: Stack, streamer: str, *times: str) -> list[str]:
    """Send the chunks, one after the other is done."""
    sent = []
    for each in times:
        sent.append(service.submit(SOUND, streamer=streamer, time=each))
        service.finished(sent[-1])
    return sent


@pytest.fixture(scope="module")
def joined(service: Stack) -> tuple[list[str], dict[str, Any]]:
    sent = send(service, "Zoé / TV", "01:00:00", "01:00:03", "01:00:09")
    return sent, stream_of(service, "zoé / tv", 3)


def test_chunks_are_a_stream(service: Stack, joined: tuple[list[str], dict[str, Any]]) -> None:
    _, stream = joined
    assert stream["streamer"] == {"key": "zoé~20~2F~20tv", "name": "Zoé / TV"}
    assert (stream["status"], stream["clock"], stream["ended_at"]) == ("live", "offset", None)
    assert stream["duration_s"] == pytest.approx(12.0, abs=0.1)
    assert stream["started_at"].endswith("Z") and datetime.fromisoformat(stream["started_at"])
    assert get(service, f"/v1/streams/{stream['id']}").json() == stream
    coverage = get(service, f"/v1/streams/{stream['id']}/coverage").json()
    assert coverage == stream["coverage"]
    assert coverage["gaps"] == [{"start": pytest.approx(6, abs=0.1), "end": 9.0, "reason": "not_sent"}]
    assert coverage["received_s"] == pytest.approx(9.0, abs=0.1)
    assert coverage["ratio"] == pytest.approx(0.75, abs=0.01)
    assert stream["id"] in [each["id"] for each in get(service, "/v1/streams", status="live").json()["data"]]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_a_streams_words_are_had_in_every_format(
    kind: str, service: Stack, joined: tuple[list[str], dict[str, Any]]
) -> None:
    sent, stream = joined
    path = f"/v1/streams/{stream['id']}/transcript"
    body = get(service, path).json()
    texts = [service.status(task_id)["result"]["text"] for task_id in sent]
    assert body["text"].split() == " ".join(texts).split()
    assert {segment["job_id"] for segment in body["segments"]} == set(sent)
    starts = [segment["start"] for segment in body["segments"]]
    assert starts == sorted(starts) and starts[-1] >= 9.0
    assert get(service, path, format="txt").text.split() == body["text"].split()
    subtitles = get(service, path, format=kind)
    assert violations(subtitles.text, kind) == []
    # By the broadcast's own time they are those of its recording
    by_broadcast = get(service, path, format=kind, offset="stream").text
    assert re.search(r"^01:00:0\d[.,]\d{3} --> ", by_broadcast, re.M)


def test_a_stretch_is_had_alone(service: Stack, joined: tuple[list[str], dict[str, Any]]) -> None:
    sent, stream = joined
    path = f"/v1/streams/{stream['id']}/transcript"
    found = get(service, path, start=3, end=6).json()["segments"]
    assert {segment["job_id"] for segment in found} == {sent[1]}
    assert get(service, path, start=3603, end=3606, offset="stream").json()["segments"][0]["job_id"] == sent[1]
    assert "'start' is after 'end'" in problem(get(service, path, start=6, end=3))["detail"]
    assert problem(get(service, path, start="nan"))["status"] == 422
    assert problem(get(service, path, format="ass"))["status"] == 422


def test_a_time_that_nobody_sent_is_not_made_up(service: Stack, joined: tuple[list[str], dict[str, Any]]) -> None:
    offset = joined[1]["id"]
    assert problem(get(service, f"/v1/streams/{offset}/transcript", offset="clock"))["code"] == "stream_start_unknown"
    now = time.time()
    send(service, "by the wall", str(round(now * 1000)), str(round(now * 1000) + 3000))
    wall = stream_of(service, "by the wall", 2)
    assert wall["clock"] == "wall"
    path = f"/v1/streams/{wall['id']}/transcript"
    found = problem(get(service, path, offset="stream"))
    assert found["status"] == 409 and "HH:MM:SS" in found["detail"]
    body = get(service, path, offset="clock").json()
    assert body["zero_at"].endswith("T00:00:00.000Z")
    at = datetime.fromisoformat(body["zero_at"]).timestamp() + body["segments"][0]["start"]
    assert at == pytest.approx(now, abs=3)


def test_words_are_found_with_their_place(service: Stack, joined: tuple[list[str], dict[str, Any]]) -> None:
    _, stream = joined
    word = get(service, f"/v1/streams/{stream['id']}/transcript").json()["segments"][0]["text"].split()[0]
    hits = get(service, "/v1/search", q=word, streamer="zoé / TV", limit=1).json()
    assert hits["data"][0]["stream_id"] == stream["id"]
    assert word in hits["data"][0]["text"]
    around = get(service, hits["data"][0]["transcript_url"]).json()
    assert hits["data"][0]["segment"] in [segment["id"] for segment in around["segments"]]
    more = get(service, "/v1/search", q=word, streamer="zoé / TV", limit=1, cursor=hits["next_cursor"]).json()
    assert more["data"][0]["segment"] < hits["data"][0]["segment"]
    assert get(service, "/v1/search", q=word, streamer="nobody").json()["data"] == []
    assert "no letter" in problem(get(service, "/v1/search", q="*"))["detail"]
    assert problem(get(service, "/v1/search", q=word, cursor="x"))["code"] == "invalid_request"


def test_streamers_and_streams_are_listed_in_pages(service: Stack) -> None:
    for streamer in ("first of three", "second of three", "third of three"):
        send(service, streamer, "now")
        stream_of(service, streamer, 1)
    for path, name in (("/v1/streamers", "newest_stream_id"), ("/v1/streams", "id")):
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = get(service, path, limit=2, **({"cursor": cursor} if cursor else {})).json()
            found += page["data"]
            if (cursor := page["next_cursor"]) is None:
                break
        names = [each["streamer"]["name"] for each in found]
        assert names[:3] == ["third of three", "second of three", "first of three"]
        assert len({each[name] for each in found}) == len(found)


def test_a_stream_is_ended_and_erased_by_its_client(service: Stack) -> None:
    (first,) = send(service, "ends", "now")
    old = stream_of(service, "ends", 1)
    path = f"/v1/streams/{old['id']}"
    for _ in range(2):
        ended = requests.post(f"{service.url}{path}/end", timeout=10)
        assert (ended.status_code, ended.json()["status"]) == (200, "ended")
    send(service, "ends", "now")
    new = until(
        lambda: (found := stream_of(service, "ends", 1))["id"] != old["id"] and found,
        within_s=20,
        what="another stream begins",
    )
    assert [each["id"] for each in get(service, "/v1/streams", streamer="ENDS").json()["data"]] == [
        new["id"],
        old["id"],
    ]
    # When it is erased, expect it to be gone everywhere, and its job to stay as it was
    for _ in range(2):
        assert requests.delete(service.url + path, timeout=10).status_code == 204
    for what in ("", "/transcript", "/coverage"):
        assert problem(get(service, path + what))["code"] == "stream_erased"
    assert [each["id"] for each in get(service, "/v1/streams", streamer="ends").json()["data"]] == [new["id"]]
    assert service.status(first)["status"] == "done"


def test_a_chunk_that_is_deleted_takes_its_words_along(service: Stack) -> None:
    sent = send(service, "deletes", "00:00:00", "00:00:03", "00:00:06")
    stream = stream_of(service, "deletes", 3)
    assert requests.delete(f"{service.url}/summarize/{sent[1]}", timeout=10).status_code == 202
    body = get(service, f"/v1/streams/{stream['id']}/transcript").json()
    assert {segment["job_id"] for segment in body["segments"]} == {sent[0], sent[2]}
    gaps = get(service, f"/v1/streams/{stream['id']}/coverage").json()["gaps"]
    assert [gap["reason"] for gap in gaps] == ["forgotten"]
    assert {hit["job_id"] for hit in _all_hits(service, "deletes", body["text"].split()[0])} == {sent[0], sent[2]}


def _all_hits(service: Stack, streamer: str, word: str) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = get(service, "/v1/search", q=word, streamer=streamer, limit=100).json()["data"]
    return hits


def test_what_is_unknown_is_404(service: Stack) -> None:
    for path in ("/v1/streams/strm_none", "/v1/streams/a%00b/transcript", "/v1/streamers/nobody/stream"):
        assert problem(get(service, path))["code"] == "stream_unknown"
    assert requests.delete(f"{service.url}/v1/streams/strm_none", timeout=10).status_code == 404


def test_other_jobs_join_no_stream(service: Stack) -> None:
    sent = send(service, "only chunks", "now")
    stream = stream_of(service, "only chunks", 1)
    again = requests.post(f"{service.url}/summarize/{sent[0]}/resummarize", timeout=10).json()["task_id"]
    service.finished(again)
    long = service.submit(plain_wav(tone(70.0, 8_000), 8_000), streamer="only chunks")
    service.finished(long)
    send(service, "only chunks", "now")
    assert stream_of(service, "only chunks", 2)["state_version"] == 2
    body = get(service, f"/v1/streams/{stream['id']}/transcript").json()
    assert not {again, long} & {segment["job_id"] for segment in body["segments"]}


def test_a_stream_is_told(service: Stack, joined: tuple[list[str], dict[str, Any]]) -> None:
    _, stream = joined
    path = f"/v1/streams/{stream['id']}"
    told = {scope: get(service, f"{path}/recap", scope=scope).json() for scope in ("now", "recent", "stream")}
    assert get(service, path).json()["recaps"] == told
    assert get(service, f"{path}/recap").json() == told["stream"]
    # Nine seconds of sound: its words, each with its place, and how much of it was not heard
    assert told["stream"]["state"] == "words" and told["stream"]["summary_source"] == "extractive"
    assert told["stream"]["coverage"] == {
        "ratio": pytest.approx(0.75, abs=0.01),
        "missing_s": pytest.approx(3, abs=0.1),
    }
    said = {segment["id"]: segment["text"] for segment in get(service, f"{path}/transcript").json()["segments"]}
    for sentence in told["stream"]["sentences"]:
        first, last = sentence["segments"]
        assert sentence["text"] in " ".join(said[number] for number in range(first, last + 1))
    # The newest chunk's own summary
    assert told["now"]["summary_source"] != "extractive"
    assert told["now"]["start"] == 9.0 and told["now"]["text"]
    short = get(service, f"{path}/recap", max_chars=40).json()
    assert 0 < len(short["text"]) <= 40


@pytest.mark.parametrize(
    ("parameters", "status", "sentence"),
    [
        ({"since": "20m", "scope": "now"}, 422, "exclude each other"),
        ({"since": "yesterday"}, 422, "no point in time"),
        ({"since": "2099-01-01T00:00:00Z"}, 422, "in the future"),
        ({"since": "99:00:00"}, 422, "in the future"),
        ({"scope": "all"}, 422, "scope"),
        ({"max_chars": "10"}, 422, "max_chars"),
        ({"language": "fr"}, 422, "no parameter 'language'"),
    ],
)
def test_what_cannot_be_told_is_said_why(
    parameters: dict[str, str], status: int, sentence: str, service: Stack, joined: tuple[list[str], dict[str, Any]]
) -> None:
    found = problem(get(service, f"/v1/streams/{joined[1]['id']}/recap", **parameters))
    assert found["status"] == status and sentence in str(found)


def test_chapters_are_closed_edited_and_written(service: Stack) -> None:
    told = ["opening"] * 3 + ["endgame"] * 3 + ["analysis"] * 3
    for at, title in enumerate(told):
        task_id = service.submit(SOUND, streamer="tells chapters", time=f"00:{at:02}:00", title=title)
        service.finished(task_id)
    stream = stream_of(service, "tells chapters", 9)
    path = f"/v1/streams/{stream['id']}"
    live = get(service, f"{path}/chapters").json()["data"]
    assert live[-1]["status"] == "open" and live[-1] == get(service, path).json()["open_chapter"]
    assert problem(get(service, f"{path}/chapters.youtube"))["code"] == "too_few_chapters"
    requests.post(f"{service.url}{path}/end", timeout=10)
    found = until(
        lambda: (body := get(service, f"{path}/chapters").json()) and len(body["data"]) == 3 and body,
        within_s=20,
        what="three chapters are closed",
    )
    chapters = found["data"]
    assert [(each["id"], each["status"], each["boundary"]) for each in chapters] == [
        ("ch_1", "closed", "start"),
        ("ch_2", "closed", "title"),
        ("ch_3", "closed", "title"),
    ]
    assert [each["start"] for each in chapters] == [0, 180, 360]
    edit = f"{service.url}{path}/chapters/ch_2"
    edited = requests.patch(edit, json={"title": " Rook\nendgame "}, timeout=10).json()
    assert (edited["title"], edited["edited"], edited["revision"]) == ("Rook endgame", True, 2)
    assert edited["summary"] == chapters[1]["summary"]
    lines = get(service, f"{path}/chapters.youtube").text.splitlines()
    assert len(lines) == 3 and lines[0].startswith("0:00 ") and lines[1] == "3:00 Rook endgame"
    assert get(service, f"{path}/chapters", format="vtt").text == get(service, f"{path}/chapters.vtt").text
    assert get(service, f"{path}/chapters.vtt", offset="stream").text == get(service, f"{path}/chapters.vtt").text
    for body in ({}, {"title": ""}, {"title": "a" * 101}, {"start": 3}, {"title": "a\x00b"}, {"title": None}, []):
        assert problem(requests.patch(edit, json=body, timeout=10))["status"] == 422, body
    assert problem(requests.patch(edit, data="a" * 20_001, timeout=10))["status"] == 422
    missing = requests.patch(f"{service.url}{path}/chapters/ch_4", json={"title": "a"}, timeout=10)
    assert problem(missing)["code"] == "chapter_unknown"
