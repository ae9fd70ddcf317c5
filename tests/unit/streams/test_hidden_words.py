"""Which words are hidden, how it looks, and what stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.domain.transcript import Segment, Word
from streametrics.streams.hidden_words import hide, hides, phrases_to_hide
from streametrics.streams.search_terms import places_of, words_of
from tests.support.streams import said


def hidden(text: str, *words: str) -> str:
    return hide(Segment(0, 1, text), phrases_to_hide(words)).text


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Zoé lives in Elm Street, she said.", ["elm street"], "Zoé lives in ***, she said."),
        ("ZOÉ, zoe and Zoe\u0301!", ["Zoé"], "***, *** and ***!"),
        ("Zoes's zoefish is no Zo", ["zoe"], "Zoes's zoefish is no Zo"),
        ("elm, street", ["elm street"], "***"),
        ("elm or street", ["elm street"], "elm or street"),
        ("Straße, STRASSE", ["strasse"], "***, ***"),
        ("東京タワーに行きました", ["東京タワー"], "***に行きました"),
        ("我住在榆树街三号", ["榆树街"], "我住在***三号"),
        ("ไปเที่ยวกรุงเทพ", ["กรุงเทพ"], "ไปเที่ยว***"),
        ("서울에서 만나요", ["서울"], "서울에서 만나요"),
        ("улица Вязов, дом 5", ["вязов"], "улица ***, дом 5"),
        ("يسكن مُحَمَّد هنا", ["محمد"], "يسكن *** هنا"),
        ("bad word bad", ["bad", "bad word"], "*** ***"),
        # What is left around a mask
        ("a bad b c", ["bad", "a b"], "*** c"),
        ("ＦＯＯ bar", ["foo"], "*** bar"),
        ("ｶﾞﾑ desu", ["ガム"], "*** desu"),
        ("nothing", ["", "!!!"], "nothing"),
        ("", ["x"], ""),
    ],
)
def test_whole_words_are_hidden(text: str, words: list[str], left: str) -> None:
    assert hidden(text, *words) == left


def test_times_of_words_stay_with_the_others() -> None:
    (segment,) = said("she lives in elm street, number five").segments
    found = hide(segment, phrases_to_hide(["Elm Street"]))
    assert found.text == "she lives in ***, number five"
    assert [word.text for word in found.words] == ["she", " lives", " in", " ***", ",", " number", " five"]
    # The mask has the time of all that it hides
    joined = [(word.start, word.end) for word in found.words if "*" in word.text]
    assert joined == [(1.5, 2.0)]
    assert (found.words[-1].start, found.words[-1].end) == (3.0, 3.5)
    assert (found.start, found.end, found.language) == (segment.start, segment.end, "en")


def test_a_phrase_that_ends_a_segment_has_its_time() -> None:
    (segment,) = said("she lives in elm street").segments
    found = hide(segment, phrases_to_hide(["elm street"]))
    assert [(word.text, word.start, word.end) for word in found.words][-1] == (" ***", 1.5, 2.5)


def test_a_word_that_is_timed_in_parts_is_found() -> None:
    words = (Word(0, 1, "Zo"), Word(1, 2, "é is"), Word(2, 3, " here"))
    found = hide(Segment(0, 3, "Zoé is here", words=words), phrases_to_hide(["zoe"]))
    assert (found.text, [word.text for word in found.words]) == ("*** is here", ["***", " is", " here"])


def test_what_holds_none_of_them_is_the_same() -> None:
    (segment,) = said("nothing of the kind").segments
    assert hide(segment, phrases_to_hide(["other"])) is segment
    assert hide(segment, ()) is segment


@given(st.text(max_size=40).map(lambda text: unicodedata.normalize("NFKC", text)))
def test_places_are_those_of_the_words(text: str) -> None:
    places = places_of(text)
    assert [word for word, _, _ in places] == words_of(text)
    assert all(start < end for _, start, end in places)


_TEXT = st.text(alphabet=st.sampled_from("ab é東\u0301.ｶﾞßA"), max_size=20)


@given(_TEXT, st.lists(_TEXT, max_size=3))
def test_nothing_hidden_is_left(text: str, words: list[str]) -> None:
    phrases = phrases_to_hide(words)
    found = hide(Segment(0, 1, text), phrases)
    assert not hides(words_of(found.text), phrases)
