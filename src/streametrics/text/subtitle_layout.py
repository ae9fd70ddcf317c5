"""Lays out a transcript as subtitle cues that people can read: length of lines, reading speed, duration, gaps.

The numbers are those of Netflix's timed-text guides and the BBC's subtitle guidelines. No word is dropped: where
somebody speaks faster than can be read, cues come late until a pause.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from streametrics.domain.transcript import Segment, Transcript, Word
from streametrics.text import letters, sentences

MAX_LINES = 2
#: Longest line in characters; wide ones (Chinese, Japanese, Korean) count for more, so that 16 of them fill it.
MAX_LINE, MAX_WIDE_LINE = 42, 16
MIN_MS, MAX_MS = 1_000, 7_000
MAX_CHARACTERS_PER_S = 20
#: Between two cues, in milliseconds: without it an eye does not see that the text has changed.
GAP_MS = 80
#: A gap shorter than this looks like a flicker, and is closed down to `GAP_MS`.
FLICKER_MS = 500
#: A pause in speech that ends a cue, in milliseconds; from the smaller one on it is a good place to end one.
PAUSE_MS, SHORT_PAUSE_MS = 1_500, 300

#: Widths are in units of which a line holds this many: exact for narrow and wide characters.
_LINE = MAX_LINE * MAX_WIDE_LINE
_NARROW, _WIDE = MAX_WIDE_LINE, MAX_LINE

#: Words before which a line may end: conjunctions, and some prepositions. Those that are also something else in one
#: of the languages do little harm, as they only choose among places that are all allowed.
_JOINING = re.compile(
    "and|but|or|nor|so|because|that|which|who|when|while|where|if|than|with|from|for|into|about"
    "|und|aber|oder|weil|dass|wenn|denn|sondern|obwohl|während|mit|für"
    "|et|mais|ou|donc|car|parce|que|quand|si|puis|avec|pour|dans"
    "|y|pero|o|porque|cuando|aunque|sino|con|para"
    "|e|ma|perché|quando|che|però|anche"
    "|mas|também|com"
    "|en|maar|of|omdat|als|want|met|voor"
    "|i|ale|lub|bo|gdy|że|и|но|или|что|когда|потому|если|а",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[,;:،、，；：–—][\"'»”’)\]」』]*$")
_OPENING = tuple("([{«“‘「『（【〈《¿¡")
#: What must not begin a line where no space precedes it.
_CLOSING = tuple(".,;:!?…)]}»”’」』）】〉》、。，．！？；：ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ%％")


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: when it is shown, in milliseconds, and its one or two lines."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """What is never divided between lines: a word, or a character of a script without spaces; its text begins with the
    space before it, if any."""

    start_ms: int
    end_ms: int
    text: str
    width: int


def lay_out(transcript: Transcript) -> list[Cue]:
    """Lay out a transcript as cues, in order and apart from each other.

    Segments without times of words get them by the length of their words.
    """
    tokens = [token for segment in transcript.segments for token in _tokens(segment)]
    return list(_timed(cue for run in _runs(tokens) for cue in _Run(run).cues()))


def _tokens(segment: Segment) -> Iterator[_Token]:
    words = segment.words or _words_by_length(segment)
    pieces = [piece for word in words for piece in _pieces(word)]
    joined: list[tuple[int, int, str]] = []
    for start_ms, end_ms, text in pieces:
        glued = joined and _belong_together(joined[-1][2], text)
        if glued and _width(joined[-1][2] + text) <= _LINE:
            joined[-1] = (joined[-1][0], end_ms, joined[-1][2] + text)
        else:
            joined.append((start_ms, end_ms, text))
    for number, (start_ms, end_ms, text) in enumerate(joined):
        # Segments are texts of their own: the next one's first word has a space before it wherever words have.
        text = text if number or text[0].isspace() or _is_unspaced(text[0]) else f" {text}"
        yield _Token(start_ms, max(start_ms, end_ms), text, _width(text))


def _belong_together(before: str, after: str) -> bool:
    if after.startswith(_CLOSING) or before.endswith(_OPENING):
        return not after[0].isspace()
    return letters.extends(after[0]) or letters.takes_next(before)


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
    kept = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or char.isprintable() or char in letters.JOINERS
    )
    return re.sub(" +", " ", kept).rstrip(f" {letters.JOINERS}")


def _divided(text: str) -> Iterator[str]:
    if text.isascii() and len(text) <= MAX_LINE and " " not in text[1:]:
        yield text  # what most words are, known without a look at each letter
        return
    piece = last = ""
    for letter in letters.letters(text):
        apart = piece.strip() and (letter == " " or _is_unspaced(letter[0]) or (last and _is_unspaced(last[0])))
        for part in _parts(letter):
            if piece and (apart or _width(piece + part) > _LINE):
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
    return sum(_WIDE if _is_wide(char) else _NARROW for char in text.strip())


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _is_unspaced(char: str) -> bool:
    """Tell whether a line may end at this character, as its script has no spaces."""
    return _is_wide(char) and not letters.is_hangul(char)


def _runs(tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Divide at pauses."""
    run: list[_Token] = []
    for token in tokens:
        if run and token.start_ms - run[-1].end_ms >= PAUSE_MS:
            yield run
            run = []
        run.append(token)
    if run:
        yield run


class _Run:
    """The tokens between two pauses, measured once: every way to divide them is weighed."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.tokens = tokens
        #: Where each token begins and ends when all stand on one line, without the space before it.
        ends = list(accumulate(token.width + _NARROW * token.text.startswith(" ") for token in tokens))
        self._ends, self._starts = ends, [end - token.width for end, token in zip(ends, tokens, strict=True)]
        self._characters = list(accumulate((len(token.text) for token in tokens), initial=0))
        #: How good a place to break the end of each token is.
        self.breaks = [*(_cost_of_break(*pair) for pair in pairwise(tokens)), 0.0]
        self._line_ends = list(self._ends_of_longest_lines())

    def cues(self) -> list["_CueTokens"]:
        """Divide the run into cues, at the least cost of all ways to do it."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(self.tokens) + 1):
            options = []
            for start in range(end - 1, -1, -1):
                if end - start > 1 and not self._may_be_cue(start, end):
                    break
                options.append((best[start][0] + self._cost(start, end), start))
            best.append(min(options))
        cues: list[_CueTokens] = []
        end = len(self.tokens)
        while end:
            start = best[end][1]
            cues.append(_CueTokens(self.tokens[start].start_ms, self.tokens[end - 1].end_ms, self._lines(start, end)))
            end = start
        return cues[::-1]

    def _ends_of_longest_lines(self) -> Iterator[int]:
        """Yield, for each token as a line's first, which one is the first that does not fit on it any more."""
        end = 0
        for start in range(len(self.tokens)):
            while end < len(self.tokens) and (end == start or self._width(start, end + 1) <= _LINE):
                end += 1
            yield end

    def _width(self, start: int, end: int) -> int:
        return self._ends[end - 1] - self._starts[start]

    def _may_be_cue(self, start: int, end: int) -> bool:
        if self.tokens[end - 1].end_ms - self.tokens[start].start_ms > MAX_MS:
            return False
        second = self._line_ends[start]
        return end <= second or end <= self._line_ends[second]

    def _cost(self, start: int, end: int) -> float:
        """Judge a cue: one each, more for an end in the middle of something, and for what its time is too short for."""
        cost = 1.0 + 2 * self.breaks[end - 1]
        if end < len(self.tokens):
            available_ms = self.tokens[end].start_ms - GAP_MS - self.tokens[start].start_ms
            missing_ms = _needed_ms(self._characters[end] - self._characters[start]) - available_ms
            cost += max(0, missing_ms) / 500
        return cost

    def _lines(self, start: int, end: int) -> tuple[str, ...]:
        """Break a cue's text: not at all where one line holds it, else at the best place near its middle."""
        if self._width(start, end) <= _LINE or end - start == 1:
            return (self._text(start, end),)

        def cost(middle: int) -> float:
            above, below = self._width(start, middle), self._width(middle, end)
            return self.breaks[middle - 1] + abs(below - above) / _LINE + 0.1 * (above > below)

        possible = range(start + 1, self._line_ends[start] + 1)
        middle = min((place for place in possible if self._line_ends[place] >= end), key=cost)
        return self._text(start, middle), self._text(middle, end)

    def _text(self, start: int, end: int) -> str:
        return "".join(token.text for token in self.tokens[start:end]).strip()


@dataclass(frozen=True, slots=True)
class _CueTokens:
    """A cue before it has its time: when its words are said, and its lines."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def _cost_of_break(before: _Token, after: _Token) -> float:
    """Judge a place between two tokens, from 0, where a sentence ends, to 1."""
    if sentences.ends(before.text):
        return 0.0
    if _CLAUSE_END.search(before.text):
        return 0.3
    if after.start_ms - before.end_ms >= SHORT_PAUSE_MS:
        return 0.4
    return 0.5 if _JOINING.fullmatch(after.text.strip()) else 1.0


def _needed_ms(characters: int) -> int:
    return max(MIN_MS, -(-characters * 1000 // MAX_CHARACTERS_PER_S))


def _timed(spoken: Iterable[_CueTokens]) -> Iterator[Cue]:
    """Give each cue its time: from its first word to its last or a little before, and for as long as it is read."""
    shown: list[Cue] = []
    free_from_ms = 0
    for cue, following in pairwise([*spoken, None]):
        assert cue is not None
        start_ms = max(0, cue.start_ms, free_from_ms)
        needed_ms = _needed_ms(sum(map(len, cue.lines)) + len(cue.lines) - 1)
        end_ms = cue.end_ms if following is None else min(cue.end_ms, following.start_ms - GAP_MS)
        end_ms = start_ms + min(MAX_MS, max(needed_ms, end_ms - start_ms))
        shown.append(Cue(start_ms, end_ms, cue.lines))
        free_from_ms = end_ms + GAP_MS
    for before, after in pairwise(shown):
        end_ms = after.start_ms - GAP_MS
        flickers = after.start_ms - before.end_ms < FLICKER_MS and end_ms - before.start_ms <= MAX_MS
        yield replace(before, end_ms=end_ms) if flickers else before
    yield from shown[-1:]
