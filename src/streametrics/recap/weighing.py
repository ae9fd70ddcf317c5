"""Weighs words and sentences: which of them tell of this stretch of a stream, and of no other."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from streametrics.text.pieces import EDGES, UNSPACED, tokens

_WORDS = re.compile(r"\S+")
#: Letters of a word from which on it weighs no more.
_LONG_WORD = 8
#: What a number and a name weigh more than another word.
_NUMBER, _NAME = 1.6, 1.4
#: Where more of the words inside sentences have a capital, it does not tell a name (German).
_MANY_CAPITALS = 0.2
#: How far a handicap keeps "Yes." and "Oh my God!" from winning, in words.
_HANDICAP = 6.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence as it is weighed: its tokens, and those that are numbers or names."""

    tokens: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Unit":
        found = tokens(text)
        numbers = {token for token in found if any(map(str.isdigit, token))}
        names = set()
        words = _WORDS.findall(text)
        for before, word in pairwise(words):
            bare = word.strip(EDGES)
            if bare[:1].isupper() and len(bare) > 2 and before[-1:] not in ".!?…:":
                names.add(bare.casefold())
        return cls(frozenset(found), frozenset(numbers), frozenset(names & set(found)))


class Weights:
    """The weights of a stretch's words: they come back here, but not everywhere, and were not said before it."""

    def __init__(self, stretch: Sequence[Unit], before: Sequence[Unit] = ()) -> None:
        self._stretch = stretch
        self.held_by = Counter(token for unit in stretch for token in unit.tokens)
        self.held_before = Counter(token for unit in before for token in unit.tokens)
        self._sentences = len(stretch)
        self._before = len(before)

    @cached_property
    def capitals(self) -> Counter[str]:
        return Counter(name for unit in self._stretch for name in unit.names)

    @cached_property
    def _name_bonus(self) -> float:
        spoken = sum(max(0, len(unit.tokens) - 1) for unit in self._stretch) or 1
        share = sum(len(unit.names) for unit in self._stretch) / spoken
        return 1 + (_NAME - 1) * max(0.0, 1 - share / _MANY_CAPITALS)

    def is_name(self, token: str) -> bool:
        """Tell whether a word is mostly written with a capital where no sentence begins."""
        return self.capitals[token] * 2 > self.held_by[token]

    def of(self, token: str) -> float:
        """Weigh a word: how rarely it is said here and before, how often it comes back here, how long it is."""
        held, before = self.held_by[token], self.held_before[token]
        rare = math.log((1 + self._sentences + self._before) / (held + before))
        length = 1.0 if UNSPACED.match(token) else min(len(token), _LONG_WORD) / _LONG_WORD
        weight = rare * (1 + 0.3 * math.log(held)) * length / (1 + 0.5 * math.log1p(before))
        if any(map(str.isdigit, token)):
            return rare * _NUMBER
        return weight * (self._name_bonus if self.is_name(token) else 1.0)


def score(unit: Unit, weights: dict[str, float]) -> float:
    """Score a sentence by the average weight of its words."""
    return sum(weights[token] for token in unit.tokens) / (len(unit.tokens) + _HANDICAP)
