"""Divides a segment into what is never divided between lines of subtitles, each with its times and its width."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from streametrics.domain.transcript import Segment, Word
from streametrics.text import letters

#: Longest line in characters; wide ones (Chinese, Japanese, Korean) count for more, so that 16 of them fill it.
MAX_LINE, MAX_WIDE_LINE = 42, 16

#: Widths are in units of which a line holds this many: exact for narrow and wide characters.
LINE = MAX_LINE * MAX_WIDE_LINE
NARROW, WIDE = MAX_WIDE_LINE, MAX_LINE

_OPENING = tuple("([{«“‘「『（【〈《¿¡")
#: What must not begin a line where no space precedes it.
_CLOSING = tuple(".,;:!?…)]}»”’」』）】〉》、。，．！？；：ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ%％ๆฯໆຯៗ។៕၊။")


@dataclass(frozen=True, slots=True)
class Token:
    """What is never divided between lines: a word, or a character of a script without spaces; its text begins with the
    space before it, if any."""

    start_ms: int
    end_ms: int
    text: str
    width: int


def tokens_of(segment: Segment) -> Iterator[Token]:
    """Divide a segment; without times of words they get them by their length."""
    words = segment.words or _words_by_length(segment)
    pieces = [piece for word in words for piece in _pieces(word)]
    joined: list[tuple[int, int, str]] = []
    for start_ms, end_ms, text in pieces:
        glued = joined and _belong_together(joined[-1][2], text)
        if glued and _width(joined[-1][2] + text) <= LINE:
            joined[-1] = (joined[-1][0], end_ms, joined[-1][2] + text)
        else:
            joined.append((start_ms, end_ms, text))
    for number, (start_ms, end_ms, text) in enumerate(joined):
        # Segments are texts of their own: the next one's first word has a space before it wherever words have.
        text = text if number or text[0].isspace() or _is_unspaced(text[0]) else f" {text}"
        yield Token(start_ms, max(start_ms, end_ms), text, _width(text))


def _belong_together(before: str, after: str) -> bool:
    if after.startswith(_CLOSING) or before.endswith(_OPENING):
        return not after[0].isspace()
    return letters.extends(after[0]) or letters.takes_next(before) or letters.stacks(before, after[0])


def _words_by_length(segment: Segment) -> tuple[Word, ...]:
    found = re.findall(r"\s*\S+", segment.text)
    ends = list(accumulate(map(len, found)))
    spoken_s = max(0.0, segment.end - segment.start) / max(1, ends[-1] if ends else 1)
    return tuple(
        Word(segment.start + (end - len(text)) * spoken_s, segment.start + end * spoken_s, text)
        for text, end in zip(found, ends, strict=True)
    )


def _pieces(word: Word) -> Iterator[tuple[int, int, str]]:
    """Divide what an engine calls a word where a line may end: between wide characters, and in what fills a line."""
    text = _cleaned(word.text)
    if not text.strip():
        return
    start_ms, end_ms = round(word.start * 1000), round(word.end * 1000)
    if _is_whole(text):
        yield start_ms, end_ms, text
        return
    texts = list(_divided(text))
    ends = list(accumulate(map(len, texts)))
    for piece, end in zip(texts, ends, strict=True):
        yield (
            start_ms + (end_ms - start_ms) * (end - len(piece)) // ends[-1],
            start_ms + (end_ms - start_ms) * end // ends[-1],
            piece,
        )


def _cleaned(text: str) -> str:
    """Reduce white space to single spaces, and drop control characters, which break a file or hide in it."""
    kept = text
    if not text.isprintable():
        kept = "".join(
            " " if char.isspace() else char
            for char in text
            if char.isspace() or char.isprintable() or char in letters.JOINERS
        )
    if "  " in kept:
        kept = re.sub(" +", " ", kept)
    return kept.rstrip(f" {letters.JOINERS}")


def _is_whole(text: str) -> bool:
    """Tell, without a look at its letters, that a text is one piece, as most words are."""
    if len(text) == 1:
        return True
    return len(text) <= MAX_LINE and " " not in text[1:] and (text.isascii() or not any(map(_is_wide, text)))


def _divided(text: str) -> Iterator[str]:
    piece = last = ""
    for letter in letters.letters(text):
        apart = piece.strip() and (letter == " " or _is_unspaced(letter[0]) or (last and _is_unspaced(last[0])))
        for part in _parts(letter):
            if piece and (apart or _width(piece + part) > LINE):
                yield piece
                piece = ""
            piece += part
            apart = False
        last = letter
    yield piece


def _parts(letter: str) -> Iterator[str]:
    """Divide what cannot be one letter, as it fills more than a line by itself."""
    yield from (letter[start : start + MAX_WIDE_LINE] for start in range(0, len(letter), MAX_WIDE_LINE))


def _width(text: str) -> int:
    text = text.strip()
    if text.isascii():
        return NARROW * len(text)
    return NARROW * len(text) + (WIDE - NARROW) * sum(map(_is_wide, text))


@lru_cache(maxsize=8192)
def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _is_unspaced(char: str) -> bool:
    """Tell whether a line may end at this character, as its script has no spaces."""
    return _is_wide(char) and not letters.is_hangul(char)
