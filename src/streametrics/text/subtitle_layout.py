"""Lays out a transcript as subtitle cues that people can read: length of lines, reading speed, duration, gaps.

The numbers are those of Netflix's timed-text guides and the BBC's subtitle guidelines. No word is dropped: where
somebody speaks faster than can be read, cues come late until a pause.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise

from streametrics.domain.transcript import Segment, Transcript
from streametrics.text import letters, sentences
from streametrics.text.subtitle_tokens import LINE, NARROW, Token, tokens_of

MAX_LINES = 2
MIN_MS, MAX_MS = 1_000, 7_000
MAX_CHARACTERS_PER_S = 20
#: Between two cues, in milliseconds: without it an eye does not see that the text has changed.
GAP_MS = 80
#: A gap shorter than this looks like a flicker, and is closed down to `GAP_MS`.
FLICKER_MS = 500
#: A pause in speech that ends a cue, in milliseconds; from the smaller one on it is a good place to end one.
PAUSE_MS, SHORT_PAUSE_MS = 1_500, 300

#: How bad a place to break is that may be inside a word, in scripts that have no spaces between words.
INSIDE_WORD = 2.0
#: No time of a recording is larger, in seconds.
MAX_S = 1e9

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


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: when it is shown, in milliseconds, and its one or two lines."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def lay_out(transcript: Transcript) -> list[Cue]:
    """Lay out a transcript as cues, in order and apart from each other.

    Segments without times of words get them by the length of their words.
    """
    tokens = [token for segment in _with_times(transcript.segments) for token in tokens_of(segment)]
    return list(_timed(cue for run in _runs(tokens) for cue in _Run(run).cues()))


def _with_times(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Put what is near in the place of times that are none (NaN, infinite), which an engine can bring forth."""
    last_s = 0.0
    for segment in segments:
        has_words = all(_is_time(word.start) and _is_time(word.end) for word in segment.words)
        if not (has_words and _is_time(segment.start) and _is_time(segment.end)):
            start_s = segment.start if _is_time(segment.start) else last_s
            end_s = segment.end if _is_time(segment.end) else start_s
            segment = replace(segment, start=start_s, end=end_s, words=segment.words if has_words else ())
        yield segment
        last_s = max(last_s, segment.end)


def _is_time(seconds: float) -> bool:
    return -MAX_S < seconds < MAX_S


def _runs(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Divide at pauses."""
    run: list[Token] = []
    for token in tokens:
        if run and token.start_ms - run[-1].end_ms >= PAUSE_MS:
            yield run
            run = []
        run.append(token)
    if run:
        yield run


class _Run:
    """The tokens between two pauses, measured once: every way to divide them is weighed."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        #: Where each token begins and ends when all stand on one line, without the space before it.
        ends = list(accumulate(token.width + NARROW * token.text.startswith(" ") for token in tokens))
        self._ends, self._starts = ends, [end - token.width for end, token in zip(ends, tokens, strict=True)]
        self._characters = list(accumulate((len(token.text) for token in tokens), initial=0))
        #: How good a place to break the end of each token is.
        self.breaks = [*(_cost_of_break(*pair) for pair in pairwise(tokens)), 0.0]
        self._line_ends = list(self._ends_of_longest_lines())
        #: The first token that does not fit on two lines that begin with this one.
        self._cue_ends = [self._line_ends[end] if end < len(tokens) else end for end in self._line_ends]
        #: For each place, the last one up to it that divides no word; None where every place is such.
        self._whole_ends: list[int] | None = None
        if INSIDE_WORD in self.breaks:
            places = (number if cost < INSIDE_WORD else 0 for number, cost in enumerate(self.breaks, start=1))
            self._whole_ends = list(accumulate(places, max, initial=0))
        self._start_ms = [token.start_ms for token in tokens]

    def cues(self) -> list["_CueTokens"]:
        """Divide the run into cues, at the least cost of all ways to do it."""
        #: The least cost of all that stands before a place, and where its last cue begins.
        costs, starts = [0.0], [0]
        for end in range(1, len(self.tokens) + 1):
            costs_from = self._costs(end, costs)
            least = min(costs_from)
            # Of several that are as good, the longest cue.
            number = len(costs_from) - 1 - costs_from[::-1].index(least)
            costs.append(least)
            starts.append(end - 1 - number)
        cues: list[_CueTokens] = []
        end = len(self.tokens)
        while end:
            start = starts[end]
            cues.append(_CueTokens(self.tokens[start].start_ms, self.tokens[end - 1].end_ms, self._lines(start, end)))
            end = start
        return cues[::-1]

    def _ends_of_longest_lines(self) -> Iterator[int]:
        """Yield, for each token as a line's first, which one is the first that does not fit on it any more."""
        end = 0
        for start in range(len(self.tokens)):
            while end < len(self.tokens) and (end == start or self._width(start, end + 1) <= LINE):
                end += 1
            yield end

    def _width(self, start: int, end: int) -> int:
        return self._ends[end - 1] - self._starts[start]

    def _costs(self, end: int, costs: Sequence[float]) -> list[float]:
        """Judge the cues that may end here, the shortest first, each with all that stands before it.

        One each, more for an end in the middle of something, and for what its time is too short for.
        costs: the least of what stands before each place. This is nearly all of the work, so it calls nothing.
        """
        start_ms, cue_ends, characters = self._start_ms, self._cue_ends, self._characters
        end_ms, so_far = self.tokens[end - 1].end_ms, characters[end]
        cost = 1.0 + 2 * self.breaks[end - 1]
        is_last = end == len(start_ms)
        until_ms = 0 if is_last else start_ms[end] - GAP_MS
        found = []
        for start in range(end - 1, -1, -1):
            from_ms = start_ms[start]
            if end - start > 1 and (end_ms - from_ms > MAX_MS or end > cue_ends[start]):
                break
            missing_ms = 0
            if not is_last:
                needed_ms = -(-(so_far - characters[start]) * 1000 // MAX_CHARACTERS_PER_S)
                missing_ms = (needed_ms if needed_ms > MIN_MS else MIN_MS) - until_ms + from_ms
            found.append(costs[start] + (cost + missing_ms / 500 if missing_ms > 0 else cost))
            if self._whole_ends is not None and self._divides_word(start, end):
                found[-1] += 2 * INSIDE_WORD
        return found

    def _divides_word(self, start: int, end: int) -> bool:
        """Tell whether a cue's two lines can only be had by an end inside a word."""
        assert self._whole_ends is not None
        if end <= self._line_ends[start]:
            return False
        place = self._whole_ends[self._line_ends[start]]
        return place <= start or self._line_ends[place] < end

    def _lines(self, start: int, end: int) -> tuple[str, ...]:
        """Break a cue's text: not at all where one line holds it, else at the best place near its middle."""
        if self._width(start, end) <= LINE or end - start == 1:
            return (self._text(start, end),)

        def cost(middle: int) -> float:
            above, below = self._width(start, middle), self._width(middle, end)
            return self.breaks[middle - 1] + abs(below - above) / LINE + 0.1 * (above > below)

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


def _cost_of_break(before: Token, after: Token) -> float:
    """Judge a place between two tokens, from 0, where a sentence ends, to 1, and `INSIDE_WORD`."""
    if not before.text[-1].isalnum():
        if sentences.ends(before.text):
            return 0.0
        if _CLAUSE_END.search(before.text):
            return 0.3
    if letters.has_phrase_spaces(before.text[-1]) and letters.has_phrase_spaces(after.text.strip()[0]):
        return (
            0.3 if after.text.startswith(" ") else INSIDE_WORD
        )  # a space is between phrases; elsewhere may be inside a word
    if after.start_ms - before.end_ms >= SHORT_PAUSE_MS:
        return 0.4
    return 0.5 if _is_joining(after.text.strip()) else 1.0


@lru_cache(maxsize=8192)
def _is_joining(word: str) -> bool:
    return _JOINING.fullmatch(word) is not None


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
