"""What is left of words when a stretch of their stream is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.domain.transcript import Segment, TimeSpan
from streametrics.streams.chunks import heard
from streametrics.streams.coverage import ChunkState
from streametrics.streams.redaction import meets, merged, remains, without_forgotten
from tests.support.streams import said

(SENTENCE,) = said("one two three four five six").segments  # half a second each


def texts(segment: Segment, *spans: tuple[float, float]) -> list[str]:
    return [piece.text for piece in remains(segment, [TimeSpan(*span) for span in spans])]


@pytest.mark.parametrize(
    ("span", "left"),
    [
        ((10.0, 20.0), ["one two three four five six"]),
        ((3.0, 9.0), ["one two three four five six"]),
        ((0.0, 3.0), []),
        ((2.0, 9.0), ["one two three four"]),
        ((-5.0, 0.1), ["two three four five six"]),
        ((1.1, 1.2), ["one two", "four five six"]),
        ((0.5, 2.5), ["one", "six"]),
    ],
)
def test_words_go_by_their_own_times(span: tuple[float, float], left: list[str]) -> None:
    assert texts(SENTENCE, span) == left


def test_what_is_left_has_the_times_of_its_words() -> None:
    first, second = remains(SENTENCE, [TimeSpan(1.1, 1.2)])
    assert (first.start, first.end, second.start, second.end) == (0.0, 1.0, 1.5, 3.0)
    assert [word.text for word in second.words] == [" four", " five", " six"]
    assert second.language == "en"


def test_without_times_of_words_a_segment_goes_whole() -> None:
    segment = Segment(0.0, 3.0, "one two three")
    assert texts(segment, (2.9, 8.0)) == []
    assert texts(segment, (3.0, 8.0)) == ["one two three"]


def test_a_pause_between_words_takes_none() -> None:
    (segment,) = said("one two").segments
    apart = Segment(0.0, 9.0, "one late", words=(segment.words[0], segment.words[1].moved(8.0)))
    assert remains(apart, [TimeSpan(2.0, 3.0)]) == [apart]


@given(st.lists(st.tuples(st.floats(-2, 5), st.floats(0, 3)), max_size=4))
def test_no_word_of_a_span_is_left_and_no_other_goes(drawn: list[tuple[float, float]]) -> None:
    spans = merged(TimeSpan(start, start + length) for start, length in drawn)
    left = [word for piece in remains(SENTENCE, spans) for word in piece.words]
    assert left == [word for word in SENTENCE.words if not meets(spans, word.start, word.end)]


def test_a_chunk_joins_without_what_was_forgotten() -> None:
    chunk = heard("id", said("one two three four five six"), 60.0, 63.0, fingerprint="f")
    assert without_forgotten(chunk, [TimeSpan(0, 60), TimeSpan(63, 99)]) == chunk
    found = without_forgotten(chunk, [TimeSpan(61.1, 99)])
    assert [each.segment.text for each in found.segments] == ["one two"]
    assert [each.words for each in found.segments] == [("one", "two")]
    assert (found.state, found.fingerprint, found.erases_job) == (ChunkState.HEARD, "f", True)
    assert (found.speech_s, found.transcribed_s) == (1.0, 1.0)
    whole = without_forgotten(chunk, [TimeSpan(60, 63)])
    assert (whole.state, whole.segments, whole.speech_s) == (ChunkState.FORGOTTEN, (), 0.0)


def test_a_chunk_whose_words_are_kept_elsewhere_loses_its_result_too() -> None:
    # The same sound again adds no words to its stream; its job has them all the same
    again = heard("id", said("one two three"), 0.0, 3.0, keeps_words=False)
    assert without_forgotten(again, [TimeSpan(1, 2)]).erases_job
    assert not without_forgotten(again, [TimeSpan(3, 4)]).erases_job
