"""What is told of a stretch of a stream without a model."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.recap.extraction import Stretch, overview
from streametrics.recap.spoken import SpokenSentence, spoken_sentences
from tests.unit.recap.said import spoken, talk

FILLER = (
    "Okay, so let me see.",
    "Hello everybody, welcome back.",
    "That was a good one, right?",
    "I am so happy that all of you are here again.",
    "Yes, yes, yes.",
    "Oh my God!",
    "We will see what happens now.",
)


def told(*texts: str, most_letters: int = 150) -> str:
    return " ".join(sentence.text for sentence in Stretch(spoken(*texts)).gist(most_letters))


def test_names_and_numbers_are_told_before_banter() -> None:
    text = told(*FILLER[:4], "Today the raid leader is Marisol, with 40 people.", *FILLER[4:], most_letters=60)
    assert text == "Today the raid leader is Marisol, with 40 people."


def test_sentences_come_in_their_order_and_within_the_letters() -> None:
    texts = [f"The castle number {number} belongs to player{number}." for number in range(40)]
    picked = Stretch(spoken(*texts)).gist(200)
    assert sum(len(sentence.text) + 1 for sentence in picked) - 1 <= 200
    assert len(picked) >= 3
    assert [sentence.start_s for sentence in picked] == sorted(sentence.start_s for sentence in picked)


def test_what_was_told_before_the_stretch_tells_less() -> None:
    before = spoken(*["The sponsor of this stream is Glowberry tea."] * 5, "So.")
    stretch = spoken("The sponsor of this stream is Glowberry tea.", "The sponsor of this race is Fernhill wax.")
    assert [each.text for each in Stretch(stretch, before).gist(50)] == [stretch[1].text]


@pytest.mark.parametrize(
    ("wrong", "correction", "stale"),
    [
        ("The finals begin on Monday evening.", "No, wait, the finals begin on Tuesday evening.", "Monday"),
        ("The door code of the vault is 40.", "I said 40, but the door code of the vault is 14.", "40."),
        ("Das Finale beginnt am Montag Abend.", "Nein, warte, das Finale beginnt Dienstag Abend.", "Montag"),
        ("La finale commence lundi soir.", "Non, attendez, la finale commence mardi soir.", "lundi"),
        ("La final empieza el lunes por la noche.", "No, espera, la final empieza martes por la noche.", "lunes"),
    ],
)
def test_a_correction_takes_the_place_of_what_it_corrects(wrong: str, correction: str, stale: str) -> None:
    text = told(wrong, *FILLER, correction, most_letters=500)
    assert correction in text
    assert wrong not in text


def test_a_correction_that_is_not_understood_alone_comes_with_what_it_corrects() -> None:
    text = told(*FILLER, "The finals begin on Monday with 16 teams.", "No, wait, it is Tuesday.", most_letters=80)
    assert text == "The finals begin on Monday with 16 teams. No, wait, it is Tuesday."


@pytest.mark.parametrize(
    "texts",
    [
        ("Somebody says the boss has 900 health, that is not true.",),
        ("Someone in chat writes that the boss has 900 health.", "No, that's fake."),
        ("Jemand schreibt, der Boss habe 900 Leben.", "Das stimmt nicht."),
        ("Quelqu'un écrit que le boss a 900 points.", "C'est faux."),
        ("Alguien dice que el jefe tiene 900 puntos.", "Eso es mentira."),
    ],
)
def test_what_is_read_out_as_false_is_not_told(texts: tuple[str, ...]) -> None:
    assert "900" not in told(*FILLER, *texts, "The boss of the castle is Morgrath.", most_letters=600)


def test_key_words_are_those_of_the_stretch_as_they_are_written() -> None:
    before = spoken(*["We talk about the weather and the garden."] * 6)
    stretch = spoken(
        "We talk about Malenia and the garden.", "So Malenia heals herself.", "The weather does not help with Malenia."
    )
    assert Stretch(stretch, before).keywords()[0] == "Malenia"
    assert Stretch(stretch, before).keywords(2)[1:] != ["weather"]
    assert len(Stretch(stretch).keywords(2)) == 2


def test_a_title_fits_and_has_what_the_stretch_is_about() -> None:
    made = Stretch(
        spoken(*FILLER, *["Now Malenia jumps over the swamp again."] * 3, "Malenia in the swamp, once more.")
    ).title()
    assert "Malenia" in made
    assert len(made) <= 49
    assert Stretch([]).title() == ""


@pytest.mark.parametrize(
    "text",
    ["今日は新しいゲームを始めます。とても楽しいゲームです。", "วันนี้เราจะเล่นเกมใหม่และสนุกมาก" * 20, "x" * 3000, "Ok."],
    ids=["japanese", "thai", "one endless word", "one word"],
)
def test_any_script_has_a_title_key_words_and_a_gist(text: str) -> None:
    sentences = spoken(text)
    assert 0 < len(Stretch(sentences).title()) <= 49
    assert Stretch(sentences).gist(100)
    assert all(Stretch(sentences).keywords())


def test_an_overview_tells_of_every_chapter_that_fits() -> None:
    gists = [
        spoken(f"In chapter {number} we meet the knight{number}.", f"It rains on hill{number} again and again.")
        for number in range(20)
    ]
    text = " ".join(sentence.text for sentence in overview(gists, most_letters=900))
    assert all(f"knight{number}." in text or f"hill{number} " in text for number in range(20))
    assert len(text) <= 900
    few = " ".join(sentence.text for sentence in overview(gists, most_letters=120))
    assert "19" in few
    assert len(few) <= 120
    assert overview([], most_letters=100) == []
    assert overview([[], []], most_letters=100) == []


def test_an_overview_tells_what_a_later_chapter_has_corrected() -> None:
    gists = [
        spoken("The prize of the race is 300 coins."),
        spoken("I said 300, but the prize of the race is 500 coins."),
    ]
    assert [each.text for each in overview(gists, most_letters=500)] == [gists[1][0].text]


@given(st.lists(st.text(min_size=1, max_size=60), max_size=15), st.integers(1, 300))
def test_any_text_is_told_within_its_letters(texts: list[str], most_letters: int) -> None:
    sentences = spoken(*texts)
    picked = Stretch(sentences).gist(most_letters)
    assert bool(picked) == bool(sentences)
    assert all(each in sentences for each in picked)
    assert len(picked) == 1 or sum(len(each.text) + 1 for each in picked) - 1 <= most_letters
    assert len(Stretch(sentences).title()) <= 49
    assert "\n" not in Stretch(sentences).title()


def test_a_gist_of_25_minutes_takes_milliseconds() -> None:
    sentences: list[SpokenSentence] = spoken_sentences(talk([0, 1], minutes=12.5))
    started = time.process_time()
    Stretch(sentences, sentences).gist(500)
    assert time.process_time() - started < 0.15
