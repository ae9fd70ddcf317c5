"""Divides text into the words by which it is found: the same ones for what is kept and for what is asked.

Words are compared without case and accents. Scripts without spaces have no words that could be told apart, so each
of their characters is one, and what is asked in them is a phrase: it is found whatever its length.
"""

import re
import unicodedata
from functools import cache

_WORD = re.compile(r"[^\W_]+")
#: Chinese and Japanese, Thai, Lao, Burmese, Khmer. Korean has spaces.
_WITHOUT_SPACES = (
    ("\u0e00", "\u0eff"),
    ("\u1000", "\u109f"),
    ("\u1780", "\u17ff"),
    ("\u3040", "\u30ff"),
    ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)
_SINGLE = re.compile("([" + "".join(f"{first}-{last}" for first, last in _WITHOUT_SPACES) + "])")
#: Longest word that is told from others, in characters.
MAX_WORD = 64


def words_of(text: str) -> list[str]:
    """List a text's words, in order."""
    spaced = _SINGLE.sub(r" \1 ", _folded(text))
    return [word[:MAX_WORD] for word in _WORD.findall(spaced)]


def phrases_of(query: str) -> list[list[str]]:
    """List what a query asks for: each part between spaces is a phrase, and all of them have to be found."""
    return [words for part in query.split() if (words := words_of(part))]


def places_of(text: str) -> list[tuple[str, int, int]]:
    """List a text's words with the characters in which they stand, first and behind the last, in order.

    They are those of `words_of`, but for texts in which characters are written in parts that NFKC joins.
    """
    found: list[tuple[str, int, int]] = []
    is_open = False
    for at, char in enumerate(text):
        for part in _folded(char):
            if not _WORD.fullmatch(part):
                is_open = False
            elif _SINGLE.fullmatch(part):
                found.append((part, at, at + 1))
                is_open = False
            elif is_open:
                found[-1] = (found[-1][0] + part, found[-1][1], at + 1)
            else:
                found.append((part, at, at + 1))
                is_open = True
        if is_open and not _folded(char):
            found[-1] = (found[-1][0], found[-1][1], at + 1)  # an accent of its own
    return [(word[:MAX_WORD], start, end) for word, start, end in found]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(_folded_char(char) for char in unicodedata.normalize("NFKC", text).casefold())


@cache
def _folded_char(char: str) -> str:
    """Leave out a letter's accents; a kana's sound mark is part of it, and a syllable of Korean stays whole."""
    if "\u3040" <= char <= "\u30ff" or "\uac00" <= char <= "\ud7a3":
        return char
    parts = unicodedata.normalize("NFD", char)
    return "".join(part for part in parts if not unicodedata.combining(part))
