"""The words that old clients depend on."""

import pytest

from streametrics.domain.job import Claim, JobKind, JobRequest, JobState, Stage, Warn
from streametrics.domain.status import JobResult, JobStatus, error_body
from streametrics.domain.transcript import (
    FilterReason,
    Note,
    Segment,
    TimeSpan,
    Transcript,
    TranscriptPart,
    merge_transcripts,
    up_to_a_gap,
)
from streametrics.domain.warnings import speech_unheard, words_filtered

REQUEST = JobRequest(streamer="Zoë", language="en", game="", time="1732412345678", title="")


def test_waiting() -> None:
    assert JobStatus(JobState.QUEUED, 0).body() == {
        "status": "pending",
        "progress": 0,
        "message": "Task is waiting to be processed...",
    }


@pytest.mark.parametrize(
    ("state", "step", "message"),
    [
        (JobState.TRANSCRIBING, "transcribing", "Transcribing audio..."),
        (JobState.TRANSCRIBED, "transcription_complete", "Transcription complete. Generating summary..."),
        (JobState.SUMMARIZING, "summarizing", "Generating summary with Mistral..."),
    ],
)
def test_in_work(state: JobState, step: str, message: str) -> None:
    body = JobStatus(state, 50, transcription="so far").body()

    assert body == {
        "status": "processing",
        "progress": 50,
        "current_step": step,
        "message": message,
        "transcription": "so far",
    }


def test_transcription_is_null_before_there_is_text_and_empty_for_silence() -> None:
    assert JobStatus(JobState.TRANSCRIBING, 0).body()["transcription"] is None
    assert JobStatus(JobState.TRANSCRIBED, 50, transcription="").body()["transcription"] == ""


def test_extra_fields_appear_only_when_there_is_something_to_say() -> None:
    body = JobStatus(
        JobState.SUMMARIZING,
        70,
        transcription="words",
        partial_summary="so",
        eta_s=1.26,
        notes=(Note(TimeSpan(0.0, 60.0), "It begins."),),
        warnings=(Warn("audio_truncated", "cut"),),
    ).body()

    assert body["partial_summary"] == "so"
    assert body["eta_s"] == 1.3
    assert body["notes"] == [{"start": 0.0, "end": 60.0, "text": "It begins."}]
    assert not {"partial_summary", "eta_s", "notes", "warnings"} & JobStatus(JobState.SUMMARIZING, 70).body().keys()
    assert body["warnings"] == [{"code": "audio_truncated", "message": "cut"}]


@pytest.mark.parametrize("state", [JobState.TRANSCRIBING, JobState.TRANSCRIBED, JobState.SUMMARIZING])
def test_a_missing_model_server_is_the_one_other_message(state: JobState) -> None:
    body = JobStatus(state, 50, model_server_missing=True).body()

    assert body["message"] == "Warning: Mistral service may be unavailable. Proceeding with transcription..."


def test_failed_is_read_as_an_error_by_old_clients_and_keeps_what_was_heard() -> None:
    body = JobStatus(JobState.FAILED, 0, error="It broke: mend it.", error_code="summary_failed", transcription="x")

    assert body.body() == error_body("It broke: mend it.", "summary_failed") | {"transcription": "x"}
    assert error_body("It broke.", "c") == {
        "status": "error",
        "progress": 0,
        "current_step": "error",
        "error": "It broke.",
        "message": "An error occurred during processing",
        "code": "c",
    }


def test_a_result_gives_time_and_streamer_back_unchanged() -> None:
    body = JobResult(Transcript((), None), "summary", "extractive", warnings=(Warn("a", "b"),)).to_json(REQUEST)

    assert (body["time"], body["streamerName"]) == ("1732412345678", "Zoë")
    assert body["warnings"] == [{"code": "a", "message": "b"}]


def test_parts_are_merged_on_the_recordings_own_clock_in_the_language_most_spoken() -> None:
    first = Transcript((Segment(0.0, 2.0, "eins"),), "de", {FilterReason.GUESS: 1})
    silent = Transcript((), None)
    last = Transcript((Segment(1.0, 9.0, "two"),), "en", {FilterReason.LOOP: 5, FilterReason.GUESS: 2})
    parts = [TranscriptPart(0.0, 60.0, first), TranscriptPart(60.0, 118.5, silent), TranscriptPart(118.5, 130.0, last)]

    merged = merge_transcripts(parts)

    assert merged == Transcript((Segment(0.0, 2.0, "eins"), Segment(119.5, 127.5, "two")), "en")
    assert merged.left_out == {FilterReason.GUESS: 3, FilterReason.LOOP: 5}
    assert merged.text == "eins two"
    assert merge_transcripts(parts[1:2]) == silent


def test_every_reason_to_leave_words_out_has_its_sentence() -> None:
    for reason in FilterReason:
        [warning] = words_filtered({reason: 2})
        assert warning.code == "words_filtered"
        assert warning.message.startswith("2 words were left out as invented: 2 ")
    assert words_filtered({}) == ()


@pytest.mark.parametrize(
    ("kind", "part_index", "tried", "may"),
    [
        pytest.param(JobKind.LIVE, None, False, True, id="a chunk"),
        pytest.param(JobKind.LIVE, None, True, False, id="a chunk that was tried"),
        pytest.param(JobKind.LONG, 0, False, True, id="a part"),
        pytest.param(JobKind.LONG, 0, True, False, id="a part that was tried"),
        pytest.param(JobKind.LONG, None, False, False, id="a recording that is not cut yet"),
    ],
)
def test_who_may_be_heard_with_others(kind: JobKind, part_index: int | None, tried: bool, may: bool) -> None:
    request = JobRequest(streamer="s", language="en", game="", time="0", title="")
    claim = Claim("id", Stage.TRANSCRIBE, 1, 1, "w", request, kind, 60.0, part_index=part_index, tried=tried)

    assert claim.may_share_batch is may


def test_parts_behind_a_gap_are_left() -> None:
    bounds = [(0.0, 60.0), (60.0, 121.0), (180.0, 240.0), (240.0, 300.0)]
    parts = [TranscriptPart(start_s, end_s, Transcript((), None)) for start_s, end_s in bounds]

    assert list(up_to_a_gap(parts)) == parts[:2]
    assert list(up_to_a_gap(parts[2:], from_s=121.0)) == []
    assert list(up_to_a_gap(parts[2:], from_s=180.0)) == parts[2:]


def test_speech_without_words_is_told_with_its_seconds_and_positions() -> None:
    [warning] = speech_unheard([TimeSpan(2.5, 13.25), TimeSpan(3661.0, 3662.5)])

    assert warning.code == "speech_unheard"
    assert warning.message == (
        "Somebody speaks for 12.2 s in which no words were found: 0:02.5 to 0:13.2, 1:01:01.0 to 1:01:02.5."
    )
    assert speech_unheard([]) == ()


def test_many_places_without_words_are_counted() -> None:
    [warning] = speech_unheard([TimeSpan(at, at + 0.5) for at in range(7)])

    assert warning.message.endswith("0:04.0 to 0:04.5 and in 2 more places.")
