"""Cutting a long transcript into pieces that fit into a prompt, and putting each on paper with its times.

Lines are packed greedily from the beginning, and a piece ends where the next line does not fit. So the pieces of a
transcript that still grows stay what they are, but for the last one; what was written about them can be kept.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streametrics.text import sentences

#: A piece begins with at most so many lines of the one before it, and at most this share of its room.
OVERLAP_LINES = 2
OVERLAP_SHARE = 0.1
#: A line that takes more than this share of a piece is split.
_LARGEST_LINE_SHARE = 0.5
#: Times are shown this far apart, in seconds: each costs about ten tokens.
_TIME_EVERY_S = 30.0

#: What a text costs, in tokens; of two texts together the sum of theirs, or a little more.
Cost = Callable[[str], float]

_MARKED_TIME = re.compile(r"\[(?:\d{1,3}:)?\d{1,2}:\d{2}\] ?")
_TIME = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?![\d:])")


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of text that stays together, and where it begins in the recording, in seconds, if that is known."""

    text: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines that fit into one prompt; the first `repeated` of them end the piece before it."""

    lines: tuple[Line, ...]
    repeated: int = 0

    @property
    def text(self) -> str:
        """The lines with a time about every half minute, where times are known."""
        return written(self.lines)

    @property
    def span(self) -> Line:
        """The stretch of the recording that its own lines cover, without text."""
        own = self.lines[self.repeated :]
        return Line("", own[0].start_s, own[-1].end_s)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the segments of a recording begin, in seconds and ascending, and where the last one ends."""

    starts_s: tuple[float, ...]
    end_s: float

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Timeline":
        starts_s = sorted(line.start_s for line in lines if line.start_s is not None)
        return cls(tuple(starts_s), max((line.end_s for line in lines if line.end_s is not None), default=0.0))

    def start_of(self, seconds: float) -> float | None:
        """Where the segment begins that a moment lies in; None outside the recording. Written times have no parts
        of a second, so a moment may seem to lie just before its segment."""
        index = bisect_right(self.starts_s, seconds + 0.999)
        return self.starts_s[index - 1] if index and seconds <= self.end_s else None


def written(lines: Sequence[Line]) -> str:
    """Lines as a prompt shows them."""
    parts: list[str] = []
    shown_s: float | None = None
    for line in lines:
        if _shows_time(line, shown_s):
            shown_s = line.start_s
            parts.append(f"{_mark(line)}{line.text}")
        elif parts:
            parts[-1] = f"{parts[-1]} {line.text}"
        else:
            parts.append(line.text)
    return "\n".join(parts)


def cut(lines: Sequence[Line], room: float, cost: Cost, *, overlap: bool = True) -> list[Piece]:
    """Pieces of at most `room` tokens that hold every line; a line that is too long is split into several.

    Every piece but the last is certain: it stays the same whatever lines follow.
    """
    packer = _Packer(room, cost, overlap)
    for line in lines:
        for part in split(line, room * _LARGEST_LINE_SHARE, cost):
            packer.add(part)
    return packer.finish()


class _Packer:
    """Takes lines in their order; what they cost is counted once."""

    def __init__(self, room: float, cost: Cost, overlap: bool) -> None:
        self._room = room
        self._cost = cost
        self._overlap = overlap
        self._pieces: list[Piece] = []
        self._lines: list[Line] = []
        self._costs: list[float] = []
        self._repeated = 0
        self._used = 0.0
        self._shown_s: float | None = None

    def add(self, line: Line) -> None:
        plain = self._cost(f"{line.text}\n")
        if len(self._lines) > self._repeated and self._used + self._with_time(line, plain) > self._room:
            self._close()
        self._put(line, plain)

    def finish(self) -> list[Piece]:
        if len(self._lines) > self._repeated:
            self._pieces.append(Piece(tuple(self._lines), self._repeated))
        return self._pieces

    def _put(self, line: Line, plain: float) -> None:
        self._used += self._with_time(line, plain)
        if _shows_time(line, self._shown_s):
            self._shown_s = line.start_s
        self._lines.append(line)
        self._costs.append(plain)

    def _with_time(self, line: Line, plain: float) -> float:
        return plain + self._cost(_mark(line)) if _shows_time(line, self._shown_s) else plain

    def _close(self) -> None:
        self._pieces.append(Piece(tuple(self._lines), self._repeated))
        count = self._repeatable() if self._overlap else 0
        kept = list(zip(self._lines[-count:], self._costs[-count:], strict=True)) if count else []
        self._lines, self._costs, self._used, self._shown_s = [], [], 0.0, None
        for line, plain in kept:
            self._put(line, plain)
        self._repeated = count

    def _repeatable(self) -> int:
        """How many of the last lines may begin the next piece; never all of them."""
        used, count = 0.0, 0
        for plain in self._costs[: -OVERLAP_LINES - 1 : -1]:
            used += plain
            if used > self._room * OVERLAP_SHARE:
                break
            count += 1
        return min(count, len(self._lines) - self._repeated - 1)


def split(line: Line, largest: float, cost: Cost) -> list[Line]:
    """The line in parts of at most `largest` tokens: at the ends of sentences, else of words, else between letters."""
    if cost(f"{line.text}\n") <= largest:
        return [line]
    texts: list[str] = []
    for sentence in sentences.split(line.text):
        texts += _packed(_atoms(sentence, largest, cost), largest, cost)
    joined = _packed([(text, " ") for text in texts], largest, cost)
    return _timed(joined, line)


def _atoms(sentence: str, largest: float, cost: Cost) -> list[tuple[str, str]]:
    """The words of a sentence, each with what stands before it; one that is too long is taken apart."""
    atoms: list[tuple[str, str]] = []
    for word in sentence.split():
        if cost(f"{word}\n") <= largest:
            atoms.append((word, " "))
        else:
            atoms += [(letter, "" if index else " ") for index, letter in enumerate(word)]
    return atoms


def _packed(atoms: Sequence[tuple[str, str]], largest: float, cost: Cost) -> list[str]:
    packed: list[list[str]] = []
    used = 0.0
    for text, before in atoms:
        more = cost(f"{before}{text}")
        if packed and used + more <= largest:
            packed[-1] += [before, text]
            used += more
        else:
            packed.append([text])
            used = cost(f"{text}\n")
    return ["".join(parts) for parts in packed]


def _timed(texts: Sequence[str], line: Line) -> list[Line]:
    """Parts of a line, their times in proportion to their letters."""
    if line.start_s is None or line.end_s is None:
        return [Line(text, line.start_s, line.end_s) for text in texts]
    whole = sum(map(len, texts)) or 1
    length_s = line.end_s - line.start_s
    parts, done = [], 0
    for text in texts:
        start_s = line.start_s + length_s * done / whole
        done += len(text)
        parts.append(Line(text, start_s, line.start_s + length_s * done / whole))
    return parts


def clock(seconds: float) -> str:
    """`1:02:03`."""
    whole = int(max(seconds, 0))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def seconds_of(text: str) -> float | None:
    """The first time (`1:02:03` or `2:03`) in a text, in seconds."""
    match = _TIME.search(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def without_false_times(text: str, start_s: float, end_s: float) -> str:
    """A text without times in brackets that lie outside a stretch of the recording: small models invent them."""

    def kept(match: re.Match[str]) -> str:
        seconds = seconds_of(match[0])
        return match[0] if seconds is not None and start_s - 1 <= seconds <= end_s else ""

    return _MARKED_TIME.sub(kept, text).strip()


def _shows_time(line: Line, shown_s: float | None) -> bool:
    return line.start_s is not None and (shown_s is None or line.start_s >= shown_s + _TIME_EVERY_S)


def _mark(line: Line) -> str:
    return f"[{clock(line.start_s or 0.0)}] "
