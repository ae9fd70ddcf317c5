"""How words heard wrongly and words lost are counted."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alignment import Alignment, Fate, align, words_of_any_language

WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


def aligned(said: str, heard: str) -> Alignment:
    return align(said.split(), heard.split())


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b c", "x a b c d", 2),
        ("a b c d", "a x c", 2),
        ("a b", "", 2),
        ("", "a b", 2),
        ("a b a b", "b a b a", 2),
    ],
)
def test_counts_the_least_number_of_changes(said: str, heard: str, wrong: int) -> None:
    assert aligned(said, heard).wrong == wrong


@given(WORDS, WORDS)
def test_an_alignment_is_one_way_from_what_was_said_to_what_was_heard(said: list[str], heard: list[str]) -> None:
    found = align(said, heard, operator.eq)

    assert len(found.fates) == len(said)
    assert len(said) - found.fates.count(Fate.DELETED) + found.inserted == len(heard)
    assert found.wrong == distance(said, heard)
    assert len(found.lost) == len(said)


def distance(said: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, start=1):
        above, row[0] = row[0], number
        for column, other in enumerate(heard, start=1):
            above, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, above + (word != other))
    return row[-1]


@pytest.mark.parametrize(
    ("said", "heard", "lost"),
    [
        ("one two ask not what your country", "one two", 5),
        # Three words are not a run.
        ("one two ask not what", "one two", 0),
        # Each run by itself.
        ("a b c d x e f g y", "x y", 4),
        # Something stands for them: they are wrong, and not lost.
        ("a b c d", "w x y z", 0),
        ("a b c d e", "", 5),
        # What was said three times and heard once is lost twice, wherever the words could be found.
        ("so it is so it is so it is", "so it is", 6),
    ],
)
def test_lost_are_deleted_words_in_runs_of_four(said: str, heard: str, lost: int) -> None:
    assert sum(aligned(said, heard).lost) == lost


def test_among_equals_deleted_words_stand_together() -> None:
    fates = aligned("the fox is the one that the dog fears", "the dog fears").fates

    assert fates == [Fate.DELETED] * 6 + [Fate.HEARD] * 3


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("One two three four ten.", "1, 2, 3, 4, 10"),
        ("Uno dos tres cuatro diez.", "123410"),
        ("一二三四十。", "1 2 3 4 10"),
        ("Seguido del número", "seguido del numero."),
        ("Ещё", "еще"),
    ],
)
def test_figures_and_accents_are_no_mistakes(said: str, heard: str) -> None:
    assert align(words_of_any_language(said), words_of_any_language(heard)).wrong == 0


def test_a_translated_number_is_a_mistake() -> None:
    assert align(words_of_any_language("uno dos"), words_of_any_language("one two")).wrong == 2


def test_letters_are_words_where_there_are_no_spaces() -> None:
    assert words_of_any_language("こんにちは世界。 Hello") == [*"こんにちは世界", "hello"]
