"""Aligns what was heard with what was said, and counts what got lost: words in runs that nothing stands for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import groupby

from whisper.normalizers import BasicTextNormalizer

#: Deleted words are lost from so many in a row on: fewer are mishearing.
RUN = 4
#: Numbers up to ten, in the languages of the clips that count: an engine may write figures.
NUMBERS = """
zero one two three four five six seven eight nine ten
cero uno dos tres cuatro cinco seis siete ocho nueve diez
zero un deux trois quatre cinq six sept huit neuf dix
zero uno due tre quattro cinque sei sette otto nove dieci
ноль один два три четыре пять шесть семь восемь девять десять
zero um dois tres quatro cinco seis sete oito nove dez
〇 一 二 三 四 五 六 七 八 九 十
"""
#: Scripts that put no spaces between words (Chinese, Japanese): each letter counts as a word. Figures stand alone.
_PIECES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|10|\d|[^\s\d\u3040-\u30ff\u3400-\u9fff]+")
#: What one edit costs; ties go to more words heard rightly, then to fewer runs of lost ones.
_EDIT, _REPLACED, _RUN = 10_000, 2, 1


class Fate(Enum):
    """What became of a word that was said."""

    HEARD = "heard"
    REPLACED = "replaced"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Alignment:
    """The fate of each word that was said, and how many words were put in between."""

    fates: list[Fate]
    inserted: int

    @property
    def wrong(self) -> int:
        """The least number of changes that turn what was said into what was heard."""
        return sum(fate is not Fate.HEARD for fate in self.fates) + self.inserted

    @property
    def lost(self) -> list[bool]:
        """For each word that was said: whether it is in a run of deleted ones."""
        found: list[bool] = []
        for fate, run in groupby(self.fates):
            length = sum(1 for _ in run)
            found += [fate is Fate.DELETED and length >= RUN] * length
        return found


def words_of_any_language(text: str) -> list[str]:
    """Words without case, accents and punctuation, whatever the language."""
    return _PIECES.findall(str(_normalizer()(text)))


@cache
def _normalizer() -> BasicTextNormalizer:
    return BasicTextNormalizer(remove_diacritics=True)


@cache
def _figures() -> dict[str, str]:
    return {
        word: str(number)
        for line in NUMBERS.strip().splitlines()
        for number, word in enumerate(words_of_any_language(line))
    }


def is_same(said: str, heard: str) -> bool:
    """Whether a word was heard rightly, if need be as a figure."""
    return said == heard or _figures().get(said) == heard


def align(said: Sequence[str], heard: Sequence[str], same: Callable[[str, str], bool] = is_same) -> Alignment:
    """Aligns by the least number of changes (Levenshtein); among equals, deleted words stand together."""
    # Two costs a place: the best way whose last change is no deletion, and the best whose last is one.
    never = _EDIT * (len(said) + len(heard) + 1)
    kept = [[never] * (len(heard) + 1) for _ in range(len(said) + 1)]
    deleted = [[never] * (len(heard) + 1) for _ in range(len(said) + 1)]
    kept[0][0] = 0
    for row in range(len(said) + 1):
        for column in range(len(heard) + 1):
            if row:
                above = row - 1
                deleted[row][column] = _EDIT + min(deleted[above][column], kept[above][column] + _RUN)
            if column:
                before = column - 1
                costs = [min(kept[row][before], deleted[row][before]) + _EDIT]
                if row:
                    change = 0 if same(said[row - 1], heard[before]) else _EDIT + _REPLACED
                    costs.append(min(kept[row - 1][before], deleted[row - 1][before]) + change)
                kept[row][column] = min(kept[row][column], *costs)
    return _traced(said, heard, same, kept, deleted)


def _traced(
    said: Sequence[str],
    heard: Sequence[str],
    same: Callable[[str, str], bool],
    kept: list[list[int]],
    deleted: list[list[int]],
) -> Alignment:
    """Walks back along the cheapest way."""
    fates: list[Fate] = []
    row, column, inserted = len(said), len(heard), 0
    in_run = deleted[row][column] < kept[row][column]
    while row or column:
        if in_run:
            row -= 1
            fates.append(Fate.DELETED)
            in_run = deleted[row][column] < kept[row][column] + _RUN
            continue
        is_right = row > 0 and column > 0 and same(said[row - 1], heard[column - 1])
        change = 0 if is_right else _EDIT + _REPLACED
        column -= 1
        if (
            row
            and column >= 0
            and kept[row][column + 1] == change + min(kept[row - 1][column], deleted[row - 1][column])
        ):
            row -= 1
            fates.append(Fate.HEARD if is_right else Fate.REPLACED)
        else:
            inserted += 1
        in_run = deleted[row][column] < kept[row][column]
    return Alignment(fates[::-1], inserted)
