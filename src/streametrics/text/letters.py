"""Divides text into what a reader takes for one letter or picture, after UAX #29: no line ends inside one."""

import unicodedata
from collections.abc import Iterator

#: Invisible, and part of the spelling: Persian words, Indic conjuncts, and emoji made of several.
JOINERS = "\u200c\u200d"
_ZWJ = "\u200d"
#: Vowels of Thai and Lao that are written behind or before the consonant, as letters of their own.
_VOWELS_BEHIND = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
_VOWELS_BEFORE = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"


def extends(char: str) -> bool:
    """Tell whether a character belongs to the one before it: an accent, a vowel sign, a color of skin."""
    return (
        unicodedata.category(char).startswith("M")
        or char in JOINERS
        or char in _VOWELS_BEHIND
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def takes_next(text: str) -> bool:
    """Tell whether what follows belongs to the end of this text."""
    return text.endswith((_ZWJ, *_VOWELS_BEFORE))


def letters(text: str) -> Iterator[str]:
    """Yield each letter with all that belongs to it."""
    letter = ""
    for char in text:
        is_second_of_flag = len(letter) == 1 and _is_flag(letter) and _is_flag(char)
        if letter and not (letter != " " and extends(char)) and not takes_next(letter) and not is_second_of_flag:
            yield letter
            letter = ""
        letter += char
    if letter:
        yield letter


def is_hangul(char: str) -> bool:
    """Tell whether a character is Korean: wide, but in words with spaces between them."""
    return "\uac00" <= char <= "\ud7a3" or "\u1100" <= char <= "\u11ff" or "\u3130" <= char <= "\u318f"


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
