"""Subtitles: what broadcasters ask of them, for a whole hour, and that players read what was written."""

import html
import io
import json
import math
import random
import re
from itertools import pairwise

import av
import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from streametrics.domain.transcript import Segment, Transcript, Word
from streametrics.text.subtitle_layout import Cue, lay_out
from streametrics.text.subtitles import OutputFormat, render
from tests.support.subtitle_lint import violations

ENGLISH, GERMAN = (
    text.split(" ")
    for text in (
        "well this is the part where the boss comes back and nobody told me that it would happen so soon, "
        "look at that. I have no idea what to do now because my team went to the other side of the map! "
        "Are you still there? Yes. Extraordinarily straightforward, isn't it; let us try again",
        "Donaudampfschifffahrtsgesellschaftskapitän und Rindfleischetikettierungsüberwachungsaufgabe, "
        "aber das ist ja nicht so schlimm. Weil wir heute Zeit haben",
    )
)
JAPANESE = list("今日は天気がいいですね。でも、明日は雨が降るかもしれません！「本当ですか？」と聞きました。")
FORMATS: tuple[OutputFormat, ...] = ("srt", "vtt")


def spoken(words: list[str], *, seconds: float, rate: float, space: str, seed: int = 1) -> Transcript:
    """An hour's talk: `rate` characters a second on average, faster and slower by turns, with pauses."""
    chance = random.Random(seed)
    segments: list[Segment] = []
    now = 0.4
    while now < seconds:
        said: list[Word] = []
        speed = rate * chance.uniform(0.6, 1.4)
        for _ in range(chance.randint(1, 40)):
            text = space + chance.choice(words)
            end = now + len(text) / speed
            said.append(Word(round(now, 3), round(end, 3), text))
            now = end + chance.choice((0, 0, 0, 0, 0.05, 0.2))
        segments.append(Segment(said[0].start, said[-1].end, "".join(w.text for w in said).strip(), words=tuple(said)))
        now += chance.choice((0, 0.1, 0.4, 1, 3))
    return Transcript(tuple(segments), "en")


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("words", "rate", "space"),
    [(ENGLISH, 14, " "), (ENGLISH, 19, " "), (GERMAN, 15, " "), (JAPANESE, 7, ""), (JAPANESE, 12, "")],
    ids=["English", "fast English", "long words", "Japanese", "fast Japanese"],
)
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("has_word_times", [True, False], ids=["word times", "no word times"])
def test_an_hour_of_subtitles_can_be_read(
    words: list[str], rate: float, space: str, kind: OutputFormat, has_word_times: bool
) -> None:
    transcript = spoken(words, seconds=3600, rate=rate, space=space)
    if not has_word_times:
        plain = tuple(Segment(each.start, each.end, each.text) for each in transcript.segments)
        transcript = Transcript(plain, "en")

    text = render(transcript, kind)

    assert violations(text, kind) == []
    # And no word is lost
    shown = "".join(cue.plaintext for cue in pysubs2.SSAFile.from_string(text, format_=kind).events)
    assert bare(shown) == bare(transcript.text)


def test_cues_begin_with_their_first_word_where_there_is_time() -> None:
    transcript = spoken(ENGLISH, seconds=3600, rate=13, space=" ")
    starts = {round(word.start * 1000) for segment in transcript.segments for word in segment.words}
    cues = lay_out(transcript)
    assert sum(cue.start_ms in starts for cue in cues) > 0.8 * len(cues)


def said(text: str, *, end: float = 30.0) -> list[Cue]:
    return lay_out(Transcript((Segment(0.0, end, text),), "en"))


@pytest.mark.parametrize(
    ("text", "seconds", "lines"),
    [
        ("Hello there.", 1.5, [("Hello there.",)]),
        (
            "I went to the store, and then I came back home.",
            4,
            [("I went to the store,", "and then I came back home.")],
        ),
        (
            "We looked for the key all night but it was nowhere",
            4,
            [("We looked for the key all night", "but it was nowhere")],
        ),
        ("One line if it fits, that is what is asked.", 4, [("One line if it fits,", "that is what is asked.")]),
        ("One line if it fits, that is the rule here", 4, [("One line if it fits, that is the rule here",)]),
        ("今日は天気がいいですね。でも明日は雨です。", 4, [("今日は天気がいいですね。", "でも明日は雨です。")]),
        ("他说「好」。", 2, [("他说「好」。",)]),
    ],
)
def test_lines_end_where_a_reader_would_pause(text: str, seconds: float, lines: list[tuple[str, ...]]) -> None:
    assert [cue.lines for cue in said(text, end=seconds)] == lines


def test_a_pause_ends_a_cue_and_a_short_word_stays_for_a_second() -> None:
    words = (Word(1.0, 1.2, " Yes."), Word(9.0, 9.3, " No."), Word(9.4, 9.5, " Stop."))
    cues = lay_out(Transcript((Segment(1.0, 9.5, "Yes. No. Stop.", words=words),), "en"))
    assert cues == [Cue(1000, 2000, ("Yes.",)), Cue(9000, 10_000, ("No. Stop.",))]


def test_a_word_that_lasts_too_long_is_taken_away_after_seven_seconds() -> None:
    [cue] = said("Goooal!", end=20.0)
    assert (cue.start_ms, cue.end_ms) == (0, 7000)


def test_a_transcript_as_text_and_json() -> None:
    transcript = Transcript((Segment(0.0, 1.5, "Hello there."), Segment(3661.25, 3663.0, "Ça va ?")), "en")
    assert render(transcript, "text") == "Hello there. Ça va ?"
    body = json.loads(render(transcript, "json"))
    assert body["speech_language"] == "en"
    assert body["segments"][1] == {"start": 3661.25, "end": 3663.0, "text": "Ça va ?"}


def test_a_transcript_as_subtitles() -> None:
    transcript = Transcript((Segment(0.0, 1.5, "Hello there."), Segment(3661.25, 3663.0, "Ça va ?")), "en")
    assert render(transcript, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n01:01:01,250 --> 01:01:03,000\nÇa va ?\n"
    )
    assert render(transcript, "vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n")


@pytest.mark.parametrize(("kind", "demuxer"), [("srt", "srt"), ("vtt", "webvtt")])
def test_ffmpeg_finds_every_cue_at_its_time(kind: OutputFormat, demuxer: str) -> None:
    transcript = spoken(ENGLISH, seconds=600, rate=15, space=" ")
    with av.open(io.BytesIO(render(transcript, kind).encode()), format=demuxer) as file:
        [stream] = file.streams
        packets = [packet for packet in file.demux(stream) if packet.pts is not None]
        found = [(round(packet.pts * packet.time_base * 1000), bytes(packet).decode()) for packet in packets]
    assert found == [(cue.start_ms, "\n".join(cue.lines)) for cue in lay_out(transcript)]


def test_times_are_rounded_once() -> None:
    assert "00:00:59,999" not in (shown := render(Transcript((Segment(59.9996, 61.2, "Now."),), "en"), "srt"))
    assert "00:01:00,000 --> 00:01:01,200" in shown
    assert "100:00:00.000 --> " in render(Transcript((Segment(360_000, 360_002, "Late."),), "en"), "vtt")


NASTY = [
    "a --> b & c",
    "<b>bold</b> and <3",
    "1 < 2 > 1",
    r"{\an8}up here",
    "NOTE what",
    "&lt; is no tag",
    "WEBVTT",
    "7",
]


@pytest.mark.parametrize("text", NASTY)
def test_players_read_what_was_said_and_no_markup(text: str) -> None:
    transcript = Transcript((Segment(0, 2, text), Segment(4, 6, "Behind it.")), "en")
    [cue, after] = webvtt.from_string(render(transcript, "vtt")).captions
    assert (html.unescape(cue.text), after.text) == (text, "Behind it.")  # the reader leaves that to the page
    [cue, after] = pysubs2.SSAFile.from_string(render(transcript, "srt"), format_="srt").events
    assert after.plaintext == "Behind it."
    # SRT cannot say that a mark is none, so these few are written otherwise
    expected = text.replace("-->", "→").replace("<b", "‹b").replace("</", "‹/").replace("{\\", "(\\")
    assert cue.plaintext == expected


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "\u200b"])
@pytest.mark.parametrize("kind", FORMATS)
def test_where_nothing_was_said_there_are_no_cues(text: str, kind: OutputFormat) -> None:
    shown = render(Transcript((Segment(0, 2, text),), None), kind)
    assert shown == ("" if kind == "srt" else "WEBVTT\n")
    assert render(Transcript((), None), kind) == shown


@given(
    st.lists(
        st.tuples(st.floats(0, 40), st.floats(0, 15), st.text(max_size=150)),
        max_size=8,
    )
)
def test_whatever_was_heard_comes_out_in_order_and_in_lines_that_fit(heard: list[tuple[float, float, str]]) -> None:
    segments = tuple(Segment(start, start + length, text.strip()) for start, length, text in heard)
    cues = lay_out(Transcript(segments, None))
    for before, after in pairwise(cues):
        assert after.start_ms - before.end_ms >= 80
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2
        assert 1000 <= cue.end_ms - cue.start_ms <= 7000
        assert all(line == line.strip() and line and len(line) <= 60 for line in cue.lines)
    kept = "".join(
        char for char in "".join(each.text for each in segments) if char.isprintable() and not char.isspace()
    )
    assert bare("".join("".join(cue.lines) for cue in cues)) == bare(kept)


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم بگویم که نمی\u200cتوانم بازی\u200cها را ببینم",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 look \u2764\ufe0f",
        "क्\u200dष और ज्ञ",
    ],
)
def test_what_is_invisible_and_part_of_the_spelling_stays(text: str) -> None:
    assert " ".join(" ".join(cue.lines) for cue in said(text)) == text


@pytest.mark.parametrize(
    "letter",
    [
        "กุ้",
        "น้ำ",
        "แก",
        "e\u0301",
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "கொ",
        "ស្ត្រី",
        "क्षि",
        "က္က",
    ],
)
def test_no_line_ends_inside_a_letter(letter: str) -> None:
    lines = [line for cue in said(letter * 200) for line in cue.lines]
    assert len(lines) > 3
    assert all(line.replace(letter, "") == "" for line in lines)


@pytest.mark.parametrize("letter", ["กุ้", "น้ำ", "แก", "ស្ត្រី", "क्षि", "e\u0301", "\U0001f44d\U0001f3fd"])
def test_words_that_begin_or_end_inside_a_letter_are_put_together(letter: str) -> None:
    words = tuple(Word(i * 0.2, i * 0.2 + 0.1, char) for i, char in enumerate(letter * 40))
    cues = lay_out(Transcript((Segment(0, 60, letter * 40, words=words),), None))
    assert all(line.strip().replace(letter, "") == "" for cue in cues for line in cue.lines)


PHRASES = {
    "Thai": ("สวัสดีครับทุกคน", "วันนี้เราจะมาเล่นเกมกันนะครับ", "แล้วก็ขอบคุณที่ติดตามมาตลอดทั้งปี", "ใครพร้อมแล้วบ้าง"),
    "Lao": ("ສະບາຍດີທຸກຄົນ", "ມື້ນີ້ພວກເຮົາຈະຫຼິ້ນເກມ", "ຂອບໃຈທີ່ຕິດຕາມ", "ໃຜພ້ອມແລ້ວແດ່"),
    "Khmer": ("សួស្តីអ្នកទាំងអស់គ្នា", "ថ្ងៃនេះយើងនឹងលេងហ្គេម", "អរគុណសម្រាប់ការតាមដាន", "តើនរណារួចរាល់"),
}


@pytest.mark.parametrize("has_word_times", [True, False], ids=["word times", "no word times"])
@pytest.mark.parametrize("script", PHRASES)
def test_scripts_with_spaces_between_phrases_alone_are_broken_at_them(script: str, has_word_times: bool) -> None:
    # Given phrases that fit on a line, and an engine that takes each character for a word, or tells no words
    phrases = PHRASES[script] * 5
    text = " ".join(phrases)
    chars = [f" {phrase}"[number : number + 1] for phrase in phrases for number in range(len(phrase) + 1)][1:]
    words: list[Word] = []
    for number, char in enumerate(chars):
        space = " " if number and chars[number - 1] == " " else ""
        if char != " ":
            words.append(Word(number * 0.1, number * 0.1 + 0.1, space + char))
    segment = Segment(0, len(chars) * 0.1, text, words=tuple(words) if has_word_times else ())
    # Expect each line to be of whole phrases
    lines = [line for cue in lay_out(Transcript((segment,), None)) for line in cue.lines]
    assert " ".join(lines) == text
    assert {phrase for line in lines for phrase in line.split(" ")} == set(phrases)


NO_TIMES = [math.nan, math.inf, -math.inf, 1e300, -1e300]


@pytest.mark.parametrize("bad", NO_TIMES)
@pytest.mark.parametrize("where", ["start", "end", "word's start", "word's end", "all"])
def test_times_that_are_none_lose_no_word(where: str, bad: float) -> None:
    words = (
        Word(bad if where in ("word's start", "all") else 2.0, 2.5, "two"),
        Word(2.5, bad if where in ("word's end", "all") else 3.0, " three"),
    )
    start, end = (bad if where in (name, "all") else known for name, known in (("start", 2.0), ("end", 3.0)))
    damaged = Segment(start, end, "two three", words=words)
    transcript = Transcript((Segment(0, 1.5, "one"), damaged, Segment(start, end, "four"), Segment(5, 6, "five")), "en")
    cues = lay_out(transcript)
    assert " ".join(line for cue in cues for line in cue.lines) == "one two three four five"
    # Expect what is near in the place of such a time, and cues in order
    assert all(0 <= cue.start_ms < cue.end_ms <= 10_000 for cue in cues)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(cues))
    assert render(transcript, "srt") and render(transcript, "vtt")


def test_more_marks_than_a_line_holds_are_divided() -> None:
    lines = [line for cue in said("e" + "\u0301" * 500) for line in cue.lines]
    assert sum(map(len, lines)) == 501
    assert all(len(line) <= 42 for line in lines)


def test_korean_is_wide_and_has_words() -> None:
    text = "안녕하세요 여러분 오늘은 체스를 두면서 이야기를 나눠 보겠습니다 정말 반갑습니다 시청해 주셔서 감사합니다"
    cues = lay_out(Transcript((Segment(0, 8, text), Segment(8, 16, text)), "ko"))
    # Expect lines to end between words, and the second segment's first word to have a space before it
    assert " ".join(" ".join(cue.lines) for cue in cues) == f"{text} {text}"
    assert violations(render(Transcript((Segment(0, 8, text),), "ko"), "srt"), "srt") == []
    assert [len(line) for cue in said("가" * 40) for line in cue.lines] == [16, 16, 8]


def test_ten_hours_are_read_as_a_file() -> None:
    transcript = spoken(ENGLISH, seconds=36_000, rate=15, space=" ")
    assert len(list(webvtt.from_buffer(io.StringIO(render(transcript, "vtt"))))) > 6_000
