"""Finds where a chapter ends: at certain marks, after too long, or where other words begin to be used.

At each place where a border may be, the words of the minutes before it are compared with those behind it,
by the cosine of their TF-IDF vectors, counted over the open chapter alone. After Hearst, "TextTiling" (1997). A border
is where they have little in common, and less than anywhere near; the longer the chapter, the less is asked for.

What is answered depends on nothing that was said later than its confirmation, so that the answer stays when more is
said, and on nothing before the chapter, so that it stays when the search begins there again.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, takewhile

from streametrics.recap.spoken import LONGEST_JOINED_S, SpokenSentence
from streametrics.text.pieces import UNSPACED, tokens

#: No border of a topic comes sooner, and none later.
SHORTEST_S, LONGEST_S = 120.0, 1500.0
#: When nothing was heard for so long, a chapter begins behind it (`Boundary.GAP`).
LONG_GAP_S = 180.0
#: Of most chapters.
USUAL_S = 480.0
#: What is compared: so much before a place, and so much behind it.
BEFORE_S, BEHIND_S = 180.0, 120.0
#: A border has less in common than any place so near.
NEAR_S = 45.0
#: A border is certain when so much was heard behind it, and what is said last may not be a whole sentence yet.
CONFIRMED_S = BEHIND_S + NEAR_S + LONGEST_JOINED_S
#: Places are compared no closer to each other than this.
_STEP_S = 12.0
#: TF-IDF counts in how many stretches of this length a word is said.
_BLOCK_S = 30.0
#: What is said to last longer has a wrong end.
_LONGEST_SENTENCE_S = 60.0
#: Fewer words on a side tell nothing.
_LEAST_WORDS = 15
#: The most that two sides of a border have in common in a chapter of the usual length, and how much more that may be
#: each time a chapter is longer by a factor of e.
_MOST_COMMON, _MORE_WITH_LENGTH = 0.223, 0.025
#: Shorter words than this are in every topic, and letters behind these are endings.
_LEAST_LETTERS, _STEM_LETTERS = 4, 6


class Boundary(StrEnum):
    """Why a chapter begins where it does."""

    START = "start"  #: of the stream
    TOPIC = "topic"  #: other words are used from there on
    TITLE = "title"  #: the stream has another title
    GAME = "game"  #: another game is played
    GAP = "gap"  #: nothing was heard for long before it
    LIMIT = "limit"  #: the chapter before it was long enough
    PERSON = "person"  #: somebody has set it


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where a chapter certainly begins, in seconds of the stream."""

    at_s: float
    why: Boundary


def next_chapter(
    sentences: Sequence[SpokenSentence], *, start_s: float, reached_s: float, marks: Sequence[Mark] = ()
) -> Mark | None:
    """Find where the chapter after this one begins; None while that is not certain.

    sentences: of the open chapter, in order. start_s: where it begins. reached_s: up to where the stream was heard.
    marks: the certain ones behind start_s. What is found for some sentences is found for them and any more of them:
    a chapter that was closed stays so.
    """
    first = min((mark for mark in marks if mark.at_s > start_s), key=_precedence, default=None)
    if first is not None and first.at_s > reached_s:
        first = None
    until_s = (reached_s if first is None else first.at_s) - LONGEST_JOINED_S
    looked_at = takewhile(
        lambda place: place.at_s - start_s <= LONGEST_S + NEAR_S, _places(sentences, start_s, until_s)
    )
    places = list(looked_at)
    for place in places:
        length_s = place.at_s - start_s
        if length_s > LONGEST_S or place.at_s + CONFIRMED_S - LONGEST_JOINED_S > until_s:
            break
        if length_s >= SHORTEST_S and place.common <= _threshold(length_s) and _is_valley(place, places):
            return Mark(place.at_s, Boundary.TOPIC)
    if (
        sentences
        and until_s + LONGEST_JOINED_S - start_s > LONGEST_S
        and (first is not None or until_s - start_s >= LONGEST_S + CONFIRMED_S)
    ):
        return Mark(_best_place(places, start_s), Boundary.LIMIT)
    return first


#: Of marks at the same place, the one that says most.
_BY_WEIGHT = (Boundary.PERSON, Boundary.GAME, Boundary.TITLE, Boundary.GAP)


def _precedence(mark: Mark) -> tuple[float, int]:
    return mark.at_s, _BY_WEIGHT.index(mark.why) if mark.why in _BY_WEIGHT else len(_BY_WEIGHT)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a border may be. common: what the words on both sides have in common, 0…1."""

    at_s: float
    common: float


def _threshold(length_s: float) -> float:
    return _MOST_COMMON + _MORE_WITH_LENGTH * math.log(length_s / USUAL_S)


def _is_valley(place: _Place, places: Sequence[_Place]) -> bool:
    near = (other for other in places if abs(other.at_s - place.at_s) <= NEAR_S)
    return all(place.common <= other.common for other in near)


def _best_place(places: Sequence[_Place], start_s: float) -> float:
    """Choose where a chapter that is too long ends: the longer the part before it, the better."""
    allowed = [place for place in places if LONGEST_S / 2 <= place.at_s - start_s <= LONGEST_S]
    best = min(allowed, key=lambda place: place.common - _threshold(place.at_s - start_s), default=None)
    return start_s + LONGEST_S if best is None else best.at_s


class _Window:
    """The words of a stretch that moves on."""

    def __init__(self, words: Sequence[Sequence[str]]) -> None:
        self._words = words
        self._first = self.end = self.size = 0
        self.counts: Counter[str] = Counter()

    def move(self, first: int, end: int) -> None:
        """Hold the sentences from `first` up to `end`; neither comes before where it was."""
        for index in range(max(self.end, first), end):
            self.counts.update(self._words[index])
            self.size += len(self._words[index])
        for index in range(self._first, min(first, self.end)):
            self.counts.subtract(self._words[index])
            self.size -= len(self._words[index])
        self._first, self.end = first, max(first, end)
        self.counts = +self.counts


class _Vocabulary:
    """In how many stretches of the open chapter each word was said, as far as it is looked at."""

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._blocks: dict[int, set[str]] = {}
        self._held_by: Counter[str] = Counter()

    def add(self, at_s: float, words: Sequence[str]) -> None:
        block = self._blocks.setdefault(int((at_s - self._start_s) // _BLOCK_S), set())
        new = set(words) - block
        block |= new
        self._held_by.update(new)

    def cosine(self, left: Counter[str], right: Counter[str]) -> float:
        by_holders = [math.log1p(len(self._blocks) / max(1, held)) for held in range(len(self._blocks) + 1)]
        vectors = [
            {word: count * by_holders[self._held_by[word]] for word, count in side.items()} for side in (left, right)
        ]
        lengths = [sum(weight * weight for weight in vector.values()) for vector in vectors]
        common = sum(weight * vectors[0].get(word, 0.0) for word, weight in vectors[1].items())
        return common / math.sqrt(lengths[0] * lengths[1])


def _places(sentences: Sequence[SpokenSentence], start_s: float, until_s: float) -> Iterator[_Place]:
    """Compare both sides of each place that was heard for long enough behind it."""
    said = sorted(sentences, key=lambda sentence: sentence.start_s)
    words = [_content(sentence.text) for sentence in said]
    heard_s = list(accumulate((min(each.end_s, each.start_s + _LONGEST_SENTENCE_S) for each in said), max))
    vocabulary, left, right = _Vocabulary(start_s), _Window(words), _Window(words)
    first = known = 0
    for index in _begins(said, start_s):
        at_s = said[index].start_s
        if at_s + BEHIND_S > until_s:
            return
        while said[first].start_s < at_s - BEFORE_S:
            first += 1
        end = bisect_right(heard_s, at_s + BEHIND_S, lo=index)
        left.move(first, index)
        right.move(index, end)
        for each in range(known, end):
            vocabulary.add(said[each].start_s, words[each])
        known = max(known, end)
        if min(left.size, right.size) >= _LEAST_WORDS:
            yield _Place(at_s, vocabulary.cosine(left.counts, right.counts))


def _begins(said: Sequence[SpokenSentence], start_s: float) -> Iterator[int]:
    """Yield the sentences with which a chapter may begin: those that begin a segment, so that no segment is divided."""
    last_s = start_s + SHORTEST_S - NEAR_S - _STEP_S
    for index in range(1, len(said)):
        begins_segment = said[index].first_segment != said[index - 1].last_segment
        if begins_segment and said[index].start_s >= last_s + _STEP_S:
            last_s = said[index].start_s
            yield index


def _content(text: str) -> list[str]:
    """List the words that tell of a topic, without their endings."""
    return [
        token if UNSPACED.match(token) else token[:_STEM_LETTERS]
        for token in tokens(text)
        if UNSPACED.match(token) or (len(token) >= _LEAST_LETTERS and token[0].isalpha())
    ]
