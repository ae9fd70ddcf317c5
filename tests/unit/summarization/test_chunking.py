"""Pieces of a transcript: within the budget, nothing lost, the same while the transcript grows."""

import itertools
import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streametrics.domain.transcript import Segment
from streametrics.llm.fake import FakeChatModel
from streametrics.settings import Settings
from streametrics.summarization import chunking, token_budget
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.chunking import Line, Timeline
from streametrics.summarization.llm_summarizer import LlmSummarizer
from streametrics.summarization.token_budget import TokenBudget, TokenEstimator, price

ALPHABETS = {
    "Latin": "abcdefghijklmnopqrstuvwxyz",
    "Vietnamese": "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệ",
    "Russian": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "Thai": "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวสหอ",
    "Chinese": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出",
    "Hangul": "가나다라마바사아자차카타파하한국말로이야기",
    "emoji": "x🐉🔥🎉",
    "digits": "0123456789",
}
ANSWER = "Ada beats the dragon and thanks the chat. Then she sells the sword."


def spoken(words: int, alphabet: str, letters: int, per_segment: int) -> tuple[Segment, ...]:
    """A transcript of so many words, all different, two and a half a second."""
    signs = ALPHABETS[alphabet]
    texts = [_word(index, signs, letters) for index in range(words)]
    return tuple(
        Segment(start / 2.5, (start + per_segment) / 2.5, " ".join(texts[start : start + per_segment]) + ".")
        for start in range(0, words, per_segment)
    )


def _word(index: int, signs: str, letters: int) -> str:
    found = ""
    while index or len(found) < letters:
        index, digit = divmod(index, len(signs))
        found += signs[digit]
    return found


def lines_of(segments: tuple[Segment, ...]) -> list[Line]:
    return [Line(each.text, each.start, each.end) for each in segments]


transcripts = st.builds(
    spoken,
    words=st.integers(10, 3000),
    alphabet=st.sampled_from(sorted(ALPHABETS)),
    letters=st.integers(1, 12),
    per_segment=st.integers(1, 80),
)


@given(segments=transcripts, room=st.floats(64, 4000))
def test_every_piece_fits_and_every_word_is_in_one(segments: tuple[Segment, ...], room: float) -> None:
    lines = lines_of(segments)
    cut = chunking.cut(lines, room, price)
    assert all(price(piece.text) <= room for piece in cut)
    # Expect the own lines of all pieces to be the transcript again, in its order and nothing twice
    own = [line for piece in cut for line in piece.lines[piece.repeated :]]
    assert "".join("".join(line.text.split()) for line in own) == "".join("".join(line.text.split()) for line in lines)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(segments=transcripts, room=st.floats(64, 2000), data=st.data())
def test_the_pieces_of_a_growing_transcript_stay(
    segments: tuple[Segment, ...], room: float, data: st.DataObject
) -> None:
    lines = lines_of(segments)
    until = data.draw(st.integers(1, len(lines)))
    certain = chunking.cut(lines[:until], room, price)[:-1]
    assert certain == chunking.cut(lines, room, price)[: len(certain)]


@given(segments=transcripts, room=st.floats(200, 2000))
def test_a_piece_begins_with_the_end_of_the_one_before(segments: tuple[Segment, ...], room: float) -> None:
    cut = chunking.cut(lines_of(segments), room, price)
    for one, other in itertools.pairwise(cut):
        assert 0 <= other.repeated <= chunking.OVERLAP_LINES
        assert other.lines[: other.repeated] == one.lines[len(one.lines) - other.repeated :]
        assert len(other.lines) > other.repeated


def test_short_lines_are_repeated_and_long_ones_are_not() -> None:
    short = [Line(f"Sentence number {index}.") for index in range(100)]
    assert {piece.repeated for piece in chunking.cut(short, 400, price)} == {0, 2}
    long = [Line("word " * 40 + f"{index}.") for index in range(20)]
    assert {piece.repeated for piece in chunking.cut(long, 400, price)} == {0}


@pytest.mark.parametrize("text", ["word " * 500, "x" * 4000, "漢" * 700, "One. Two! " * 200])
def test_a_line_larger_than_a_piece_is_split_with_its_time(text: str) -> None:
    cut = chunking.cut([Line(text.strip(), 100.0, 200.0)], 300, price)
    own = [line for piece in cut for line in piece.lines[piece.repeated :]]
    assert all(price(piece.text) <= 300 for piece in cut)
    assert "".join("".join(line.text.split()) for line in own) == "".join(text.split())
    starts = [line.start_s for line in own if line.start_s is not None]
    assert starts == sorted(starts)
    assert starts[0] == 100.0
    assert own[-1].end_s == pytest.approx(200.0)


def test_times_are_shown_about_every_half_minute() -> None:
    lines = [Line(f"Line {index}.", index * 10.0, index * 10.0 + 9) for index in range(370)]
    shown = chunking.written(lines).splitlines()
    assert shown[0] == "[0:00:00] Line 0. Line 1. Line 2."
    assert shown[-1].startswith("[1:01:30] ")
    assert chunking.written([Line("No"), Line("times.")]) == "No times."


def test_a_moment_belongs_to_the_segment_it_lies_in() -> None:
    timeline = Timeline.of([Line("a", 0.4, 5.0), Line("b", 5.9, 9.0), Line("c", 60.0, 70.0)])
    assert timeline.start_of(0) == 0.4
    assert timeline.start_of(5) == 5.9
    assert timeline.start_of(30) == 5.9
    assert timeline.start_of(69) == 60.0
    assert timeline.start_of(71) is None
    assert Timeline.of([Line("no times")]).start_of(0) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("1:02:03", 3723.0), ("[0:12:34]", 754.0), ("02:03", 123.0), ("soon", None), ("", None)]
)
def test_times_are_read_as_they_are_written(text: str, seconds: float | None) -> None:
    assert chunking.seconds_of(text) == seconds


def test_times_that_a_model_invents_are_taken_out_and_true_ones_stay() -> None:
    said = "[0:05:00] Ada wins. [2:37:58] She left at 2:37:58. [9:59] The chat sings. [12:00]"
    assert chunking.without_false_times(said, 300.4, 600.0) == (
        "[0:05:00] Ada wins. She left at 2:37:58. [9:59] The chat sings."
    )


# Every prompt of a whole summary, at every level


def ask(segments: tuple[Segment, ...], context_tokens: int, *, timed: bool = True) -> FakeChatModel:
    """Have a model summarize that writes as much as it may."""

    def respond(messages: object, max_tokens: int, schema: object) -> str:
        return " ".join([ANSWER] * math.ceil(max_tokens / 13)) if schema is None else f'{{"overview": "{ANSWER}"}}'

    model = FakeChatModel(respond, context_tokens=context_tokens)
    transcript = " ".join(each.text for each in segments)
    asked = SummaryRequest(transcript, "en", "Ada", "Dragon Quest", "Ice dragon", segments=segments if timed else ())
    assert LlmSummarizer(model, Settings(_env_file=None)).summarize(asked).text.startswith("Ada beats")
    return model


def assert_nothing_lost_and_nothing_too_long(
    model: FakeChatModel, segments: tuple[Segment, ...], estimator: TokenEstimator
) -> None:
    for call in model.calls:
        prompt = token_budget.content(list(call.messages))
        assert estimator.tokens(prompt) <= TokenBudget(model.context_tokens).prompt_tokens(call.max_tokens)
        assert call.max_tokens > 0
    said = Counter(word for call in model.calls for message in call.messages for word in message["content"].split())
    words = {word for each in segments for word in each.text.split()}
    assert words <= said.keys()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    words=st.integers(10, 4000),
    alphabet=st.sampled_from(sorted(ALPHABETS)),
    per_segment=st.integers(1, 40),
    context_tokens=st.sampled_from([1024, 2048, 4096, 8192, 32768]),
    timed=st.booleans(),
)
def test_every_prompt_of_every_length_is_inside_the_budget_and_holds_every_word(
    words: int, alphabet: str, per_segment: int, context_tokens: int, timed: bool
) -> None:
    segments = spoken(words, alphabet, 4, per_segment)
    model = ask(segments, context_tokens, timed=timed)
    assert_nothing_lost_and_nothing_too_long(model, segments, TokenEstimator())


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    exponent=st.floats(3.6, 5.3),
    alphabet=st.sampled_from(sorted(ALPHABETS)),
    context_tokens=st.sampled_from([2048, 8192]),
)
def test_so_it_is_up_to_two_hundred_thousand_words(exponent: float, alphabet: str, context_tokens: int) -> None:
    segments = spoken(min(200_000, int(10**exponent)), alphabet, 4, 12)
    model = ask(segments, context_tokens)
    assert_nothing_lost_and_nothing_too_long(model, segments, TokenEstimator())


@pytest.mark.parametrize("words", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("alphabet", ["Latin", "Thai", "Chinese"])
def test_the_longest_too(words: int, alphabet: str) -> None:
    segments = spoken(words, alphabet, 4, 12)
    model = ask(segments, 2048)
    assert_nothing_lost_and_nothing_too_long(model, segments, TokenEstimator())
    # Expect that notes were merged more than once, each level smaller
    assert sum("<<<notes" in call.messages[-1]["content"] for call in model.calls) > 2
