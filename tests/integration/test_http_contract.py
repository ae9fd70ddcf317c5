"""The contract of `/summarize/`, through real HTTP, a real queue and real workers."""

import re

import pytest
import requests

from streametrics.domain.status import MESSAGE_SUMMARIZING, MESSAGE_TRANSCRIBED, MESSAGE_TRANSCRIBING, MESSAGE_WAITING
from tests.support.media import KINDS, Track, encode, encode_tracks, plain_wav, tone
from tests.support.stack import FIELDS, Stack, until

#: What a poller may see, in order, and the bounds of per cent in each.
STEPS = {
    None: (MESSAGE_WAITING, 0, 0),
    "transcribing": (MESSAGE_TRANSCRIBING, 0, 49),
    "transcription_complete": (MESSAGE_TRANSCRIBED, 50, 50),
    "summarizing": (MESSAGE_SUMMARIZING, 60, 99),
}


def test_root_welcomes(service: Stack) -> None:
    response = requests.get(service.url + "/", timeout=5)

    assert response.status_code == 200
    assert response.json() == {"message": "Welcome to StreaMetrics's API"}


@pytest.mark.parametrize("path", ["/summarize/", "/summarize"])
def test_both_spellings_of_the_route_accept_an_upload(service: Stack, path: str) -> None:
    response = requests.post(
        service.url + path,
        data=FIELDS,
        files={"audio": ("chunk.wav", plain_wav(tone(1.0, 44_100)))},
        timeout=10,
        allow_redirects=False,
    )

    assert response.status_code == 200
    assert list(response.json()) == ["task_id"]
    assert service.finished(response.json()["task_id"])["status"] == "done"


def test_a_poller_sees_a_subsequence_of_the_states_in_order(service: Stack) -> None:
    task_id = service.submit(plain_wav(tone(30.0, 44_100)))

    *working, last = service.history(task_id)

    order = list(STEPS)
    positions = [order.index(status.get("current_step")) for status in working]
    assert positions == sorted(positions)
    progress = [status["progress"] for status in working]
    assert progress == sorted(progress)
    for status in working:
        message, low, high = STEPS[status.get("current_step")]
        assert status["status"] == ("processing" if status.get("current_step") else "pending")
        assert status["message"] == message
        assert low <= status["progress"] <= high
        if status.get("current_step") in ("transcription_complete", "summarizing"):
            assert status["transcription"].startswith("word0 word1")
    assert last["status"] == "done"


def test_a_finished_job_tells_all_that_the_contract_names(service: Stack) -> None:
    task_id = service.submit(plain_wav(tone(3.0, 44_100)), time="1732412345678", language="pt-BR")

    status = service.finished(task_id)

    assert {key: status[key] for key in ("status", "progress", "current_step")} == {
        "status": "done",
        "progress": 100,
        "current_step": "done",
    }
    result = status["result"]
    assert result["text"] == "word0 word1 word2"
    assert result["summary"] == "Summary of 3 words in pt-BR: word0 word1 word2."
    assert result["time"] == "1732412345678"
    assert result["streamerName"] == FIELDS["streamer"]
    assert result["summary_source"] == "fake"
    assert result["speech_language"] == "en"
    assert result["segments"][1] == {"start": 1.0, "end": 2.0, "text": "word1"}
    assert service.status(task_id) == status, "a result never changes"


def test_silence_is_done_with_empty_text_and_a_sentence_in_the_language_asked_for(service: Stack) -> None:
    english, french = (
        service.finished(service.submit(plain_wav(tone(2.0, 44_100, level=0.0)), language=language))
        for language in ("en", "fr")
    )

    assert english["result"]["text"] == french["result"]["text"] == ""
    assert english["result"]["segments"] == []
    assert english["result"]["summary"] != french["result"]["summary"]
    assert all(status["result"]["summary"].strip() for status in (english, french))


def test_a_fifth_of_a_second_is_done(service: Stack) -> None:
    status = service.finished(service.submit(plain_wav(tone(0.2, 44_100))))

    assert status["status"] == "done"
    assert status["result"]["text"] == ""


@pytest.mark.parametrize(
    ("kind", "with_video"),
    [("mp3", False), ("m4a", False), ("ogg-opus", False), ("flac", False), ("webm-opus", False), ("mp4", True)],
)
def test_every_container_is_judged_by_its_content_not_its_name(service: Stack, kind: str, with_video: bool) -> None:
    response = service.post(encode(tone(3.0, KINDS[kind].rate_hz), kind, with_video=with_video), name="lies.txt")

    assert response.status_code == 200, response.text
    status = service.finished(response.json()["task_id"])
    assert status["status"] == "done", status
    assert status["result"]["text"].startswith("word0 word1 word2")


def test_the_spoken_language_can_be_given(service: Stack) -> None:
    status = service.finished(service.submit(plain_wav(tone(1.0, 44_100)), speech_language="de"))

    assert status["result"]["speech_language"] == "de"


@pytest.mark.parametrize("sent", ["auto", "detect", ""])
def test_the_spoken_language_can_be_left_to_the_model(service: Stack, sent: str) -> None:
    status = service.finished(service.submit(plain_wav(tone(1.0, 44_100)), speech_language=sent))

    assert status["result"]["speech_language"] == "en"


def test_a_language_that_the_model_does_not_know_is_refused(service: Stack) -> None:
    response = service.post(plain_wav(tone(1.0, 44_100)), speech_language="yue")

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "'base' does not know Cantonese" in response.json()["error"]


def two_tracks() -> bytes:
    """One second of sound in the first track, three in the second."""
    rate_hz = KINDS["mkv-aac"].rate_hz
    game, mic = Track(((0.0, tone(1.0, rate_hz)),), "Game"), Track(((0.0, tone(3.0, rate_hz)),), "Mic", "en")
    return encode_tracks(game, mic, kind="mkv-aac")


def test_a_track_can_be_asked_for(service: Stack) -> None:
    second = service.finished(service.submit(two_tracks(), track="2"))
    unasked = service.finished(service.submit(two_tracks()))
    mixed = service.finished(service.submit(two_tracks(), track="mix"))

    assert second["result"]["warnings"] == mixed["result"]["warnings"] == []
    assert [warning["code"] for warning in unasked["warnings"]] == ["tracks_left_out"]
    assert unasked["warnings"] == unasked["result"]["warnings"]
    assert 'track 1 was transcribed. Left out: track 2 ("Mic", en).' in unasked["warnings"][0]["message"]


def test_a_track_that_is_not_there_ends_the_job_with_those_that_are(service: Stack) -> None:
    status = service.finished(service.submit(two_tracks(), track="3"))

    assert (status["status"], status["code"]) == ("error", "track_missing")
    assert status["error"] == (
        'There is no sound track 3 in this file, which has 2 sound tracks: 1 ("Game"), 2 ("Mic", en).'
    )


@pytest.mark.parametrize("track", ["0", "second", "-1"])
def test_a_track_that_cannot_be_is_refused(service: Stack, track: str) -> None:
    response = service.post(two_tracks(), track=track)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "'track'" in response.json()["error"]


def test_a_long_recording_is_worked_on_in_parts_and_comes_back_whole(service: Stack) -> None:
    task_id = service.submit(plain_wav(tone(200.0, 8_000), 8_000))

    history = service.history(task_id)

    result = history[-1]["result"]
    words = [int(word) for word in re.findall(r"word(\d+)", result["text"])]
    starts = [segment["start"] for segment in result["segments"]]
    ends = [segment["end"] for segment in result["segments"]]
    assert words.count(0) >= 3, "each part counts its own seconds, so there were at least three"
    assert starts == sorted(starts)
    assert ends[-1] == pytest.approx(200.0, abs=0.1)
    assert all(start >= end - 0.001 for start, end in zip(starts[1:], ends, strict=False))
    progress = [status["progress"] for status in history[:-1]]
    assert progress == sorted(progress)
    assert service.audio_files == []


def test_a_short_sound_in_a_large_file_and_a_long_one_in_a_small_file_find_their_queue(service: Stack) -> None:
    large_but_short = service.submit(plain_wav(tone(12.0, 48_000, level=0.2).repeat(2), 96_000))
    small_but_long = service.submit(encode(tone(90.0, KINDS["ogg-opus"].rate_hz), "ogg-opus"))

    assert service.finished(large_but_short)["status"] == "done"
    assert service.finished(small_but_long)["result"]["segments"][-1]["end"] == pytest.approx(90.0, abs=0.2)


def test_an_unknown_id_is_404_and_still_readable_for_old_clients(service: Stack) -> None:
    response = requests.get(f"{service.url}/summarize/status/3a6e1f6e-0000-4000-8000-000000000000", timeout=5)

    assert response.status_code == 404
    assert response.json()["status"] == "error"
    assert response.json()["code"] == "job_unknown"
    assert response.json()["error"] and response.json()["message"]


def test_paths_and_methods_that_do_not_exist_answer_json(service: Stack) -> None:
    missing = requests.get(service.url + "/nowhere", timeout=5)
    wrong = requests.get(service.url + "/summarize/", timeout=5)

    assert (missing.status_code, missing.json()["status"]) == (404, "error")
    assert (wrong.status_code, wrong.json()["status"]) == (405, "error")


def test_readiness_tells_engine_and_model(service: Stack) -> None:
    response = requests.get(service.url + "/health/ready", timeout=5)

    assert response.status_code == 200, response.text
    checks = response.json()["checks"]
    assert checks["transcribe_worker"]["engine"] == "fake"
    assert all(check["ok"] for check in checks.values())


def test_every_log_line_of_a_job_names_it_and_none_tells_what_was_said(service: Stack) -> None:
    task_id = service.submit(plain_wav(tone(2.0, 44_100)), title="a title that nobody should read in a log")
    service.finished(task_id)
    # Given the last line, which is written after the row that says "done"
    last = f"job={task_id} event=checkpoint stage=summarize"
    until(lambda: last in service.log(), within_s=20, what="the last line of the job")

    lines = [line for line in service.log().splitlines() if f"job={task_id}" in line]

    assert any("event=accepted" in line for line in lines)
    assert any("event=checkpoint stage=transcribe" in line for line in lines)
    assert any("event=checkpoint stage=summarize" in line for line in lines)
    # Expect no line that tells of it in another way, such as the task framework's own
    assert [line for line in service.log().splitlines() if task_id in line and f"job={task_id}" not in line] == []
    assert "word0" not in service.log()
    assert "a title that nobody" not in service.log()
