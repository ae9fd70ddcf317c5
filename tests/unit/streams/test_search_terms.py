"""The words by which a stream is searched: the same for what is kept and for what is asked, in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.streams.search_terms import MAX_WORD, phrases_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Welcome back, everybody!", ["welcome", "back", "everybody"]),
        ("Café Ångström Straße ﬁn", ["cafe", "angstrom", "strasse", "fin"]),
        ("東京GPTへ", ["東", "京", "gpt", "へ"]),
        ("が か 안녕 하세요", ["が", "か", "안녕", "하세요"]),
        ("don't e.g. 3.14 a_b", ["don", "t", "e", "g", "3", "14", "a", "b"]),
        ("…!?", []),
    ],
)
def test_a_text_has_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("query", ['foo"bar', "a:b", "-x", "AND", "*x*", "NEAR(a b)", "'; a --", "x\\y", "a' | 'b"])
def test_no_sign_of_a_query_language_is_left(query: str) -> None:
    phrases = phrases_of(query)
    assert phrases
    assert all(word.isalnum() for phrase in phrases for word in phrase)


def test_each_part_of_a_query_is_a_phrase() -> None:
    assert phrases_of("rook 東京 e.g. ?") == [["rook"], ["東", "京"], ["e", "g"]]
    assert phrases_of("* ? “”") == []


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_what_is_cut_out_at_spaces_is_found(text: str, first: int, last: int) -> None:
    parts = text.split()
    kept, asked = words_of(text), phrases_of(" ".join(parts[first:last]))
    for phrase in asked:
        assert any(kept[at : at + len(phrase)] == phrase for at in range(len(kept)))


@given(st.text())
def test_words_are_folded_letters_and_digits_of_bounded_length(text: str) -> None:
    assert all(word.isalnum() and len(word) <= MAX_WORD for word in words_of(text))
