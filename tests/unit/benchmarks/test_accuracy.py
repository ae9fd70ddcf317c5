"""How words heard wrongly are counted."""

import pytest

from benchmarks.accuracy import words_of, wrong_words


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
    assert wrong_words(said.split(), heard.split()) == wrong


def test_spelling_is_no_mistake() -> None:
    assert words_of("It's colour, Mr. Smith!", "en") == words_of("it is color mister smith", "en")
    assert words_of("¿Qué tal?", "es") == ["qué", "tal"]
