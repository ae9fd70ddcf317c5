"""The JSON that is stored of a job: read and written in one form, and refused where it has another."""

import json

import pytest

from streametrics.domain.job import JobRequest, Warn
from streametrics.domain.status import JobResult, result_from_json, transcript_in
from streametrics.domain.transcript import (
    DecodingStatistics,
    FilterReason,
    Note,
    Segment,
    TimeSpan,
    Transcript,
    TranscriptPart,
    Word,
    merge_transcripts,
)

TRANSCRIPT = (
    '{"language": "fr", "segments": [{"start": 0.0, "end": 1.234, "text": "Bonjour \\u00e0 tous."}, '
    '{"start": 2.5, "end": 4.0, "text": "On y va."}], "left_out": {"guess": 2, "nobody": 3}}'
)
WITH_WORDS = (
    '{"language": "fr", "segments": [{"start": 0.0, "end": 1.2, "text": "On y va.", "words": [[0.0, 0.4, " On"], '
    '[0.4, 0.5, " y"], [0.5, 1.2, " va."]], "language": "fr"}], "unheard": [[2.5, 13.25]]}'
)
SILENCE = '{"language": null, "segments": []}'
WARNING = '{"code": "audio_truncated", "message": "The file is cut off."}'


@pytest.mark.parametrize("stored", [TRANSCRIPT, WITH_WORDS, SILENCE])
def test_a_stored_transcript_is_written_as_it_was_read(stored: str) -> None:
    assert json.dumps(Transcript.from_json(json.loads(stored)).to_json()) == stored


def test_a_stored_transcript_is_read_whole() -> None:
    transcript = Transcript.from_json(json.loads(TRANSCRIPT))

    segments = (Segment(0.0, 1.234, "Bonjour à tous."), Segment(2.5, 4.0, "On y va."))
    assert transcript == Transcript(segments, "fr")
    assert list(transcript.left_out.items()) == [(FilterReason.GUESS, 2), (FilterReason.NOBODY, 3)]


def test_words_and_what_was_unheard_are_read_back() -> None:
    transcript = Transcript.from_json(json.loads(WITH_WORDS))

    assert transcript.segments[0].words == (Word(0.0, 0.4, " On"), Word(0.4, 0.5, " y"), Word(0.5, 1.2, " va."))
    assert transcript.segments[0].language == "fr"
    assert transcript.unheard == (TimeSpan(2.5, 13.25),)


def test_words_and_what_was_unheard_are_on_the_recordings_clock_once_its_parts_are_joined() -> None:
    part = Transcript.from_json(json.loads(WITH_WORDS))

    merged = merge_transcripts([TranscriptPart(0.0, 10.0, Transcript((), None)), TranscriptPart(10.0, 25.0, part)])

    assert merged.segments[0].words[0] == Word(10.0, 10.4, " On")
    assert merged.unheard == (TimeSpan(12.5, 23.25),)


def test_the_answer_to_a_client_has_no_words() -> None:
    assert Transcript.from_json(json.loads(WITH_WORDS)).segments[0].to_json() == {
        "start": 0.0,
        "end": 1.2,
        "text": "On y va.",
    }


def test_times_are_stored_to_the_millisecond_and_without_what_an_engine_says_of_itself() -> None:
    segment = Segment(0.12345, 1.23456, "word", DecodingStatistics(-0.2, 0.1, 1.0, 0.0))

    assert segment.to_json() == {"start": 0.123, "end": 1.235, "text": "word"}


def test_what_a_later_version_adds_is_passed_over() -> None:
    segment = {"start": 0.0, "end": 1.0, "text": "word", "speaker": "Ada"}
    stored = {"language": "en", "segments": [segment], "left_out": {"advert": 4, "loop": 2}, "channel": 1}

    transcript = Transcript.from_json(stored)

    assert transcript == Transcript((Segment(0.0, 1.0, "word"),), "en")
    assert transcript.left_out == {FilterReason.LOOP: 2}


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({"language": "en"}, id="no segments"),
        pytest.param({"segments": []}, id="no language"),
        pytest.param({"language": 7, "segments": []}, id="a number as language"),
        pytest.param({"language": "en", "segments": [], "unheard": [["secret", 1.0]]}, id="a text as unheard"),
        pytest.param(
            {"language": "en", "segments": [{"start": 0.0, "end": 1.0, "text": "a", "words": [[0.0, "secret", "a"]]}]},
            id="a text as a word's end",
        ),
        pytest.param(
            {"language": "en", "segments": [{"start": 0.0, "end": 1.0, "text": "a", "words": "secret"}]},
            id="words are a text",
        ),
        pytest.param({"language": "en", "segments": {"text": "secret"}}, id="segments are an object"),
        pytest.param({"language": "en", "segments": ["secret"]}, id="a segment is a text"),
        pytest.param({"language": "en", "segments": [{"start": 0.0, "text": "secret"}]}, id="no end"),
        pytest.param({"language": "en", "segments": [{"start": "0", "end": 1.0, "text": "secret"}]}, id="text as time"),
        pytest.param({"language": "en", "segments": [{"start": 0.0, "end": 1.0, "text": None}]}, id="no text"),
        pytest.param({"language": "en", "segments": [], "left_out": {"loop": "secret"}}, id="text as a number"),
        pytest.param({"language": "en", "segments": [], "left_out": ["secret"]}, id="a list of what was left out"),
    ],
)
def test_what_is_no_transcript_is_refused_without_a_word_of_it(stored: object) -> None:
    with pytest.raises(ValueError, match="stored") as caught:
        Transcript.from_json(stored)
    assert "secret" not in str(caught.value)


def test_a_warning_is_written_as_it_was_read() -> None:
    warning = Warn.from_json(json.loads(WARNING))

    assert warning == Warn("audio_truncated", "The file is cut off.")
    assert json.dumps(warning.to_json()) == WARNING
    with pytest.raises(ValueError, match="stored warning"):
        Warn.from_json({"code": "audio_truncated"})


def test_a_note_is_told_with_its_times() -> None:
    note = Note(TimeSpan(0.0, 60.5), "It begins.")

    assert json.dumps(note.to_json()) == '{"start": 0.0, "end": 60.5, "text": "It begins."}'


def test_a_result_is_stored_in_the_form_that_clients_get() -> None:
    request = JobRequest("Zoë", "en", "", "00:01:30", "", parent_task_id="the first")
    transcript = Transcript((Segment(0.0, 1.0, "word"),), "en", {FilterReason.LOOP: 2})
    result = JobResult(transcript, "A word.", "ollama", "mistral", (Warn("a", "b"),), prompt_version="3")

    assert json.dumps(result.to_json(request)) == (
        '{"parent_task_id": "the first", "text": "word", "summary": "A word.", "time": "00:01:30", '
        '"streamerName": "Zo\\u00eb", "summary_source": "ollama", "model": "mistral", "prompt_version": "3", '
        '"speech_language": "en", "segments": [{"start": 0.0, "end": 1.0, "text": "word"}], '
        '"warnings": [{"code": "a", "message": "b"}]}'
    )
    assert transcript_in(result.to_json(request)) == transcript


def test_a_stored_result_is_told_as_it_is() -> None:
    odd = {"text": "word", "a field of another version": 1}

    assert result_from_json(odd) == odd
    assert result_from_json(None) is None
    with pytest.raises(ValueError, match="stored result"):
        result_from_json("word")
