"""Puts right the names that speech recognition misspelled, as an upload's fields spell them.

Title, game and streamer's name are for spelling names only. A model that is shown what nobody spoke names it all the
same, a small one in nearly all of its summaries. So a model is shown none of them; it reads a text in which what sounds
like a name of theirs is spelled as they do.

Two texts sound alike if their consonants do, by classes that spelling mixes up (c and k, s and z, d and t), and most of
their letters are the same. Only names that differ in more than case are put right: "just chatting" may be no name.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache, reduce

#: Words of a name, and of a text, that are looked at together: recognition joins and splits words.
_MOST_WORDS = 4
#: Fewer consonants than this sound like too much.
_LEAST_CONSONANTS = 3
#: The share of letters that two texts must have in common, for short names and for longer ones.
_ALIKE_SHORT, _ALIKE_LONG, _LONG_LETTERS = 0.76, 0.7, 7

#: The `'s` of a possessive is a word of its own.
_WORD = re.compile(r"[^\W_]+(?:['’](?!s\b)[^\W_]+)*")
#: `KaiCenat` is Kai Cenat, and `ninja42` is ninja 42.
_PARTS = re.compile(r"[^\W\d_]+?(?=(?<=[a-z])[A-Z]|\d|\b|_)|\d+")
_VOWELS = "aeiouyαεηιουωаеёиоуыэюя"
_SOUNDS = (
    (re.compile(r"^(?:kn|gn)"), "n"),
    (re.compile(r"^wr"), "r"),
    (re.compile(r"^x"), "s"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"gh(?=t)"), ""),
    (re.compile(r"sch|sh|c(?=[eiy])|[zßж]"), "s"),
    (re.compile(r"t?ch"), "%"),
    (re.compile(r"ck|[cq]"), "k"),
    (re.compile(r"x"), "ks"),
    (re.compile(r"d"), "t"),
    (re.compile(r"[bp]"), "p"),
    (re.compile(r"[wf]"), "v"),
    (re.compile(r"j"), "g"),
    (re.compile(rf"[{_VOWELS}hйьъ]"), ""),
    (re.compile(r"(.)\1+"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A word of a field, or a part of one, and where it stands there."""

    folded: str
    start: int
    end: int
    is_capital: bool


@dataclass(frozen=True, slots=True)
class _Name:
    """A run of a field's words. is_whole: it is all of a field that is a name."""

    text: str
    words: tuple[str, ...]
    sound: "_Key"
    is_whole: bool

    @classmethod
    def of(cls, field: str, run: list[_Part], *, is_whole: bool) -> "_Name":
        words = tuple(part.folded for part in run)
        sound = reduce(_joined, map(_sound, words))
        return cls(field[run[0].start : run[-1].end], words, (_beginning(words[0]), sound), is_whole)


@dataclass(frozen=True, slots=True)
class _Place:
    """Words of a text that sound like a name, and where they stand in it."""

    words: tuple[str, ...]
    start: int
    end: int
    is_capital: bool

    def overlaps(self, other: "_Place") -> bool:
        return self.start < other.end and other.start < self.end


#: How a text begins, and its consonants by class.
_Key = tuple[str, str]


def corrected(text: str, names: Sequence[str], sentence: str = "") -> str:
    """Spell names in a text as an upload's fields do, where it holds something that sounds like them.

    names: fields that are a name as a whole (a game's, a person's). sentence: a field that may hold names (a title);
    its capitalized words are looked at.
    """
    wanted, sounds = _wanted(tuple(names), sentence)
    heard = _heard(text, sounds) if sounds else {}
    if not heard:
        return text
    taken: list[tuple[_Place, _Name]] = []
    for name in wanted:
        alike = [(likeness, place) for place in heard.get(name.sound, ()) if (likeness := _likeness(name, place)) > 0]
        for _, place in sorted(alike, key=lambda each: each[0], reverse=True):
            if not any(place.overlaps(other) for other, _ in taken):
                taken.append((place, name))
    for place, name in sorted(taken, key=lambda each: each[0].start, reverse=True):
        if place.words != name.words:  # "just chatting" may be no name
            text = f"{text[: place.start]}{name.text}{text[place.end :]}"
    return text


@lru_cache(maxsize=64)
def _wanted(names: tuple[str, ...], sentence: str) -> tuple[tuple[_Name, ...], frozenset[_Key]]:
    """The names that fields may give, those that count first, and how they sound."""
    found = (*(name for field in names for name in _of_name(field)), *_of_sentence(sentence))
    return found, frozenset(name.sound for name in found)


def _likeness(name: _Name, place: _Place) -> float:
    """Tell how alike a name and a place's words are, letter by letter, 0…1; 0 for what cannot be the name.

    A single word may be an ordinary one that sounds so ("country" and the Counter of Counter-Strike): it has to be
    capitalized, or to stand for a whole name with some consonants.
    """
    letters, said, consonants = "".join(name.words), "".join(place.words), len(name.sound[1])
    if len(place.words) > 1 and len(name.words) == 1 and not name.is_whole:
        return 0.0
    if letters == said:
        return 1.0
    is_sure = len(name.words) > 1 or (name.is_whole and consonants > _LEAST_CONSONANTS)
    if consonants + (name.sound[0] == "h") < _LEAST_CONSONANTS or not (is_sure or place.is_capital):
        return 0.0
    likeness = SequenceMatcher(None, letters, said, autojunk=False).ratio()
    return likeness if likeness >= (_ALIKE_LONG if len(letters) >= _LONG_LETTERS else _ALIKE_SHORT) else 0.0


def _of_name(field: str) -> list[_Name]:
    """A field's name as a whole, then the runs of its words."""
    parts = _parts(field)
    return [_Name.of(field, run, is_whole=len(run) == len(parts)) for run in _runs(parts)]


def _of_sentence(field: str) -> list[_Name]:
    """The runs of capitalized words."""
    runs = _runs(_parts(field))
    return [_Name.of(field, run, is_whole=False) for run in runs if all(part.is_capital for part in run)]


def _runs(parts: list[_Part]) -> Iterator[list[_Part]]:
    """All runs of at most _MOST_WORDS words, the longest first."""
    for length in range(min(_MOST_WORDS, len(parts)), 0, -1):
        for start in range(len(parts) - length + 1):
            yield parts[start : start + length]


def _heard(text: str, wanted: frozenset[_Key]) -> dict[_Key, list[_Place]]:
    """Find the words of a text, up to _MOST_WORDS together, that sound like one of these."""
    words = list(_WORD.finditer(text))
    folded = [_folded(word[0]) for word in words]
    sounds = [_sound(word) for word in folded]
    found: dict[_Key, list[_Place]] = {}
    for first, word in enumerate(words):
        begin, sound = _beginning(folded[first]), ""
        for last in range(first, min(first + _MOST_WORDS, len(words))):
            sound = _joined(sound, sounds[last])
            if (begin, sound) in wanted:
                place = _Place(tuple(folded[first : last + 1]), word.start(), words[last].end(), word[0][0].isupper())
                found.setdefault((begin, sound), []).append(place)
    return found


def _parts(field: str) -> list[_Part]:
    """Split a field into its words and their parts; `Baldur's` is one."""
    found: list[_Part] = []
    for word in _WORD.finditer(field):
        if word[0].isalnum():
            found += [_part(part[0], word.start() + part.start()) for part in _PARTS.finditer(word[0])]
        else:
            found.append(_part(word[0], word.start()))
    return found


def _part(text: str, start: int) -> _Part:
    return _Part(_folded(text), start, start + len(text), is_capital=text[:1] != text[:1].lower())


def _beginning(folded: str) -> str:
    """How a word begins: with a vowel, with an h, or with a consonant that its sound has."""
    first = folded[:1]
    return "" if first not in _VOWELS + "h" else "h" if first == "h" else "a"


def _joined(sound: str, other: str) -> str:
    return sound + (other[1:] if sound and sound[-1:] == other[:1] else other)


@lru_cache(maxsize=16_384)
def _folded(word: str) -> str:
    """A word without case, accents and apostrophes."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


@lru_cache(maxsize=16_384)
def _sound(folded: str) -> str:
    """A word's consonants by class; `knight` and `night` are one."""
    for pattern, sound in _SOUNDS:
        folded = pattern.sub(sound, folded)
    return folded
