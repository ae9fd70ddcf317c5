"""Weighs words and sentences: which of them tell of this stretch of a stream, and of no other."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from itertools import pairwise

from streametrics.text.pieces import EDGES, UNSPACED, tokens

_WORDS = re.compile(r"\S+")
#: Letters of a word from which on it weighs no more.
_LONG_WORD = 8
#: Sentences whose parts are remembered: those of the last hours of some streams.
KEPT_SENTENCES = 10_000
#: What a number and a name weigh more than another word.
_NUMBER, _NAME = 1.6, 1.4
#: Where more of the words inside sentences have a capital, it does not tell a name (German).
MANY_CAPITALS = 0.2
#: Behind a word that ends so, a sentence begins.
ENDS_SENTENCE = ".!?…:"
#: Of what a sentence tells, the share that counts where it has no word of the topic; how many words the topic has.
_OFF_TOPIC, _TOPIC_WORDS = 0.5, 10
#: Sentences from which on a stretch has a topic of its own.
_TOPIC_FROM = 60
#: A word in more than this share of the sentences is of no topic, nor is one of fewer letters.
_MOST_HELD, _LEAST_LETTERS = 0.15, 4
#: What was told weighs so much when it is said again.
_REPEATED_SHARE = 0.3
#: A phrase of three words that is said so often is a formula; what a sentence loses that is nothing else.
_OFTEN, _FORMULA = 4, 0.7
#: So many words of a sentence count, and with so many it has to tell twice as much.
_TELLING_WORDS, _LONG_SENTENCE = 6, 60


def capitals_inside(text: str) -> list[str]:
    """List the words with a capital that begin no sentence, without marks around them."""
    pairs = pairwise(_WORDS.findall(text))
    bare = (word.strip(EDGES) for before, word in pairs if before[-1:] not in ENDS_SENTENCE)
    return [word for word in bare if word[:1].isupper()]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence as it is weighed: its tokens, those that are numbers or names, and its phrases of three."""

    tokens: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    phrases: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, text: str) -> "Unit":
        found = _tokens(text)
        numbers = {token for token in found if any(map(str.isdigit, token))}
        names = {word.casefold() for word in capitals_inside(text) if len(word) > 2}
        return cls(frozenset(found), frozenset(numbers), frozenset(names & set(found)), _phrases(found))


@lru_cache(maxsize=KEPT_SENTENCES)
def unit_of(text: str) -> Unit:
    """Weigh a sentence, once for all questions about its stream."""
    return Unit.of(text)


@lru_cache(maxsize=KEPT_SENTENCES)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(tokens(text))


def _phrases(found: Sequence[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(found, found[1:], found[2:], strict=False))


class Weights:
    """The weights of a stretch's words, against what was said before it."""

    def __init__(self, stretch: Sequence[Unit], before: Sequence[str] = ()) -> None:
        self.stretch = stretch
        self.held_by = Counter(token for unit in stretch for token in unit.tokens)
        told_before = [_tokens(text) for text in before]
        self._held_before = Counter(token for told in told_before for token in set(told))
        self._phrases = Counter(phrase for unit in stretch for phrase in unit.phrases)
        for told in told_before:
            self._phrases.update(zip(told, told[1:], told[2:], strict=False))
        self._sentences, self._before = len(stretch), len(before)
        self.capitals = Counter(name for unit in stretch for name in unit.names)
        spoken = sum(max(0, len(unit.tokens) - 1) for unit in stretch) or 1
        share = self.capitals.total() / spoken
        self._name_bonus = 1 + (_NAME - 1) * max(0.0, 1 - share / MANY_CAPITALS)

    def is_name(self, token: str) -> bool:
        """Tell whether a word is mostly written with a capital where no sentence begins."""
        return self.capitals[token] * 2 > self.held_by[token]

    def news(self, token: str) -> float:
        """Weigh what a word tells: how rarely it is said here and before, how long it is."""
        held, before = self.held_by[token], self._held_before[token]
        rare = math.log((1 + self._sentences + self._before) / (held + before))
        if any(map(str.isdigit, token)):
            return rare * _NUMBER
        length = 1.0 if UNSPACED.match(token) else min(len(token), _LONG_WORD) / _LONG_WORD
        return rare * length * (self._name_bonus if self.is_name(token) else 1.0)

    def topic(self, token: str) -> float:
        """Weigh how much a word is of this stretch: it comes back here, in no large part of it, and not before."""
        held, before = self.held_by[token], self._held_before[token]
        if held < 2 or held > max(3.0, _MOST_HELD * self._sentences) or not _tells(token):
            return 0.0
        here = held / self._sentences
        elsewhere = (before + 0.5) / (self._before + 1) if self._before else 0.5 / (self._sentences + 1)
        length = 1.0 if UNSPACED.match(token) else min(len(token), _LONG_WORD) / _LONG_WORD
        return max(0.0, math.log(here / elsewhere)) * math.log1p(held) * length

    def formula(self, unit: Unit) -> float:
        """Tell what share of a sentence is in phrases that come again and again, 0…1."""
        return sum(self._phrases[phrase] >= _OFTEN for phrase in unit.phrases) / (len(unit.phrases) + 1)

    def scores(self) -> "Scores":
        return Scores(self, self.stretch)


def _tells(token: str) -> bool:
    return UNSPACED.match(token) is not None or (len(token) >= _LEAST_LETTERS and any(map(str.isalpha, token)))


class Scores:
    """How much each sentence tells, while some are told: the news of its words, more so where it is on the topic."""

    def __init__(self, weights: Weights, units: Sequence[Unit]) -> None:
        self._units = units
        self._formulas = [1 - _FORMULA * weights.formula(unit) for unit in units]
        self._news = {token: weights.news(token) for token in weights.held_by}
        topic = {token: weights.topic(token) for token in weights.held_by}
        usual = sorted(topic.values(), reverse=True)[:_TOPIC_WORDS]
        self._usual = sum(usual) / len(usual) if usual else 0.0
        self._topic = topic
        # A few sentences have no topic that could be told from their other words.
        self._off_topic = 1 - (1 - _OFF_TOPIC) * min(1.0, len(units) / _TOPIC_FROM)

    def of(self, index: int) -> float:
        """Score a sentence by the words in it that are most news."""
        told = self._units[index].tokens
        best = nlargest(_TELLING_WORDS, (self._news[token] for token in told))
        news = math.sqrt(sum(weight * weight for weight in best) / _TELLING_WORDS) / (1 + len(told) / _LONG_SENTENCE)
        on_topic = max((self._topic[token] for token in told), default=0.0)
        share = min(1.0, on_topic / self._usual) if self._usual else 1.0
        return self._formulas[index] * news * (self._off_topic + (1 - self._off_topic) * share)

    def tell(self, index: int) -> None:
        """What was told weighs less from now on."""
        for token in self._units[index].tokens:
            self._news[token] *= _REPEATED_SHARE
