"""Summaries in the transcript's own words."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.summarization.extractive import central_sentences
from streametrics.text import sentences

CHUNK = (
    "Hey everyone, welcome back. Oh my God. Today we try to beat the water temple without dying. Okay. "
    "Last time the shadow boss of the water temple took three hearts from us. My cat is asleep. "
    "Somebody asks about the weather here. So first the hookshot, then the boss of the water temple. Yes. No. "
    "And the shadow boss is down, the water temple is done."
)


def test_the_central_sentences_come_in_their_order() -> None:
    summary = central_sentences(CHUNK)
    kept = sentences.split(summary)
    assert 2 <= len(kept) <= 3
    positions = [CHUNK.index(sentence) for sentence in kept]
    assert positions == sorted(positions)
    assert "water temple" in summary
    assert "cat" not in summary
    assert "Okay" not in summary


def test_a_short_chunk_is_its_own_summary() -> None:
    assert central_sentences("We won.  Good game.") == "We won. Good game."


def test_what_is_said_again_counts_once() -> None:
    assert central_sentences("Thank you. " * 50) == "Thank you."


def test_words_without_any_full_stop_are_cut_to_size() -> None:
    spoken = " ".join(f"and then the dragon number {number} came over the hill" for number in range(30))
    summary = central_sentences(spoken)
    assert 0 < len(summary.split()) <= 61
    assert summary.endswith("…")


@pytest.mark.parametrize(
    "transcript",
    [
        "今日は新しいゲームを始めます。とても楽しいゲームです。昨日は負けました。ボスがとても強いです。みんなありがとう。",
        "今天我们来玩一个新的游戏" * 60,
        "วันนี้เราจะเล่นเกมใหม่และสนุกมาก" * 60,
        "आज हम एक नया गेम खेल रहे हैं। यह गेम बहुत मजेदार है। कल हम हार गए थे। बॉस मजबूत है। सबको धन्यवाद।",
        "x" * 5000,
    ],
    ids=["japanese", "chinese without marks", "thai", "hindi", "one endless word"],
)
def test_any_script_is_kept_within_the_size(transcript: str) -> None:
    summary = central_sentences(transcript)
    assert summary
    assert len(summary) <= 310
    assert summary.replace("…", "")[:10] in transcript


@given(st.text(min_size=1).filter(lambda text: any(letter.isalnum() for letter in text)))
def test_a_transcript_with_a_word_has_a_summary(transcript: str) -> None:
    summary = central_sentences(transcript)
    assert any(letter.isalnum() for letter in summary)
    assert len(summary) <= 620


def test_a_day_of_speech_takes_no_time() -> None:
    # Given 200,000 words, as frequent as words are
    chance = random.Random(1)
    vocabulary = [f"w{number}" for number in range(8000)]
    words = chance.choices(vocabulary, [1 / rank for rank in range(1, 8001)], k=200_000)
    transcript = " ".join(word + "." * (index % 12 == 0) for index, word in enumerate(words))
    # When its sentences are picked
    started = time.process_time()
    summary = central_sentences(transcript)
    # Expect a second at most of computing, and a longer summary than a chunk's
    assert time.process_time() - started < 2
    assert len(summary) <= 610


def test_a_long_recording_is_told_from_its_beginning_to_its_end() -> None:
    # Given three hours whose subject changes
    def hour(subject: str) -> str:
        return " ".join(f"In round {number} the {subject} fights the {subject} again." for number in range(400))

    summary = central_sentences(" ".join(hour(subject) for subject in ("dragon", "wizard", "pirate")))
    # Expect a sentence of each
    assert all(subject in summary for subject in ("dragon", "wizard", "pirate"))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One. Two. Thr", "One. Two."),
        ("It costs 3.5 and", "It costs 3.5 and…"),
        ("今日は。明日", "今日は。"),
        ('He said "no." Then', 'He said "no."'),
        ("Really? Y", "Really?"),
        ("J. Smith comes", "J. Smith comes…"),
    ],
)
def test_a_cut_text_ends_at_its_last_sentence(text: str, whole: str) -> None:
    assert sentences.cut_after_last_end(text) == whole
