"""Divides text into what a reader takes for one letter or picture, after UAX #29: no line ends inside one."""

import unicodedata
from collections.abc import Iterator

#: Invisible, and part of the spelling: Persian words, Indic conjuncts, and emoji made of several.
JOINERS = "\u200c\u200d"
_ZWJ = "\u200d"
#: Vowels of Thai and Lao that are written behind or before the consonant, as letters of their own.
_VOWELS_BEHIND = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
#: Signs that put the next consonant below or beside this one: Khmer, Burmese and Indic conjuncts.
_STACKING = "\u17d2\u1039\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"
#: Thai, Lao, Burmese, Khmer: no spaces between words, but between phrases.
_SPACED_BY_PHRASE = (("\u0e00", "\u0eff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff"), ("\u19e0", "\u19ff"))
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


def stacks(text: str, char: str) -> bool:
    """Tell whether a character is a consonant that is written below or beside the end of this text."""
    return text.endswith(tuple(_STACKING)) and unicodedata.category(char).startswith("L")


def has_phrase_spaces(char: str) -> bool:
    """Tell whether a character is of a script that puts spaces between phrases, and none between words."""
    return any(first <= char <= last for first, last in _SPACED_BY_PHRASE)


def letters(text: str) -> Iterator[str]:
    """Yield each letter with all that belongs to it."""
    letter = ""
    for char in text:
        is_second_of_flag = len(letter) == 1 and _is_flag(letter) and _is_flag(char)
        is_joined = takes_next(letter) or stacks(letter, char) or (letter != " " and extends(char))
        if letter and not is_joined and not is_second_of_flag:
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
