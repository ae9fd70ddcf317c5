"""What is planted in streams, and what of it counts as told."""

from itertools import pairwise

import pytest

from benchmarks import glued
from benchmarks.late_readers import Block, Memory
from benchmarks.late_scores import matched, scored
from benchmarks.planted import planted
from benchmarks.planted_plan import CORRECTED, DECOYS, HOURS_S, Fact, Planted
from benchmarks.planted_words import DEVELOPMENT, HELD_OUT
from streametrics.domain.transcript import Segment
from streametrics.recap.spoken import SpokenSentence
from streametrics.text.pieces import tokens


@pytest.fixture(scope="module")
def stream() -> Planted:
    return planted(1)


def test_a_seed_makes_the_same_stream_each_time(stream: Planted) -> None:
    assert planted(1).chunks == stream.chunks
    assert planted(2).chunks != stream.chunks


def test_all_that_is_planted_is_heard(stream: Planted) -> None:
    said = {token for chunk in stream.chunks for each in chunk.segments for token in tokens(each.segment.text)}
    assert len(stream.facts) == 90
    assert len(stream.decoys) == DECOYS
    assert sum(fact.wrong is not None for fact in stream.facts) == CORRECTED
    assert all(fact.value.casefold() in said for fact in stream.facts)
    assert stream.withheld_s == pytest.approx(HOURS_S * 0.05)
    assert len(stream.chunks) + len(stream.withheld) == 720


def test_topics_share_most_of_their_words(stream: Planted) -> None:
    edges = [0.0, *stream.borders, HOURS_S]
    topics = [
        [
            token
            for chunk in stream.chunks
            for each in chunk.segments
            if first <= each.segment.start < end
            for token in tokens(each.segment.text)
        ]
        for first, end in pairwise(edges)
    ]
    sets = [set(words) for words in topics]
    for position, words in enumerate(topics):
        other = sets[position - 1]
        assert sum(word in other for word in words) / len(words) >= 0.6


def test_the_held_out_phrases_are_others() -> None:
    for name in ("leads", "tails", "corrections", "bare", "decoys", "talk", "filler", "asides"):
        assert not set(getattr(DEVELOPMENT, name)) & set(getattr(HELD_OUT, name))
    for phrases, others in ((DEVELOPMENT, HELD_OUT), (HELD_OUT, DEVELOPMENT)):
        shapes = {shape for kind in phrases.facts.values() for shape in kind}
        assert len(shapes) >= 8
        assert not shapes & {shape for kind in others.facts.values() for shape in kind}


def made(*facts: Fact) -> Planted:
    return Planted(1, [], facts=list(facts))


def block(*texts: str) -> Block:
    return Block.of([SpokenSentence(text, 0.0, 1.0, number, number) for number, text in enumerate(texts)])


def test_a_fact_is_told_where_its_value_stands_with_its_subject() -> None:
    facts = made(Fact("number", "harbor door", "417", 0, 5.0), Fact("name", "mill guild", "Vonder", 0, 90.0))
    heard = {0: Segment(0, 1, "The harbor door costs 417 coins.")}
    scores = scored([block("The harbor door costs 417 coins.")], facts, 100.0, heard)
    assert (scores.told, scores.known, scores.recall_of("first"), scores.recall_of("last")) == (1, 2, 1.0, 0.0)
    assert (scores.cited, scores.cited_right, scores.invented) == (1, 1, 0)
    assert scored([block("It costs 417 coins.")], facts, 100.0, heard).told == 0
    assert scored([block("The harbor door costs 418 coins.")], facts, 100.0, heard).invented == 1


def test_what_was_corrected_is_stale_until_the_right_value_is_told() -> None:
    facts = made(Fact("number", "harbor door", "500", 0, 5.0, wrong="417", corrected_s=50.0))
    heard = {0: Segment(0, 1, "the harbor door has 417 500")}
    wrong, right = block("The harbor door has 417."), block("The harbor door has 500.")
    assert scored([wrong], facts, 40.0, heard).told == 1
    assert scored([wrong], facts, 60.0, heard).stale == 1
    assert scored([wrong, right], facts, 60.0, heard).stale_in_a_chapter == 1
    beside = scored([block("The harbor door has 417.", "No, it has 500.")], facts, 60.0, heard)
    assert (beside.told, beside.stale, beside.stale_in_a_chapter) == (1, 0, 0)


def test_each_border_found_counts_once() -> None:
    assert matched([100.0, 500.0], [90.0, 130.0, 900.0], 60.0) == 1
    assert matched([100.0, 120.0], [90.0, 130.0], 60.0) == 2


def test_no_border_at_all_has_the_error_of_the_places_that_lie_apart() -> None:
    assert glued.pk([400.0], [400.0], 800.0) == 0.0
    assert 0.3 < glued.pk([], [400.0], 800.0) == glued.window_diff([], [400.0], 800.0) < 0.7


def test_a_memory_keeps_its_borders_and_declares_what_is_missing(stream: Planted) -> None:
    memory = Memory(stream.marks, keeps_text=False)
    for chunk in stream.chunks[:120]:
        memory.add(chunk)
    assert memory.borders
    assert memory.borders == memory.borders_anew()
    assert memory.missing_s() == sum(30.0 for chunk in stream.withheld if chunk * 30 < stream.chunks[119].start_s)
