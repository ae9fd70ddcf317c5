"""How words heard wrongly are counted."""

from benchmarks.accuracy import words_of


def test_spelling_is_no_mistake() -> None:
    assert words_of("It's colour, Mr. Smith!", "en") == words_of("it is color mister smith", "en")
    assert words_of("¿Qué tal?", "es") == ["qué", "tal"]
