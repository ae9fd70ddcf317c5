"""Finds the certain beginnings of chapters: another title or game, and speech after a long gap."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from streametrics.recap.boundaries import LONG_GAP_S, Boundary, Mark


class HeardChunk(NamedTuple):
    """A chunk that was heard: where it lies, in seconds of the stream, and the title and game that it was sent with."""

    start_s: float
    end_s: float
    title: str | None
    game: str | None


def certain_marks(chunks: Sequence[HeardChunk], *, is_over: bool) -> list[Mark]:
    """Find them in these chunks, in order; a title counts when the next chunk has it too, or none will come.

    Of two clients that send one stream with two titles nothing is known.
    """
    ordered = sorted(chunks, key=lambda chunk: (chunk.start_s, chunk.end_s))
    marks = [*_gaps(ordered)]
    for name, why in (("title", Boundary.TITLE), ("game", Boundary.GAME)):
        marks += _changes([(chunk.start_s, getattr(chunk, name)) for chunk in ordered], why, is_over=is_over)
    # Of several at one place, the title says most.
    by_place: dict[float, Mark] = {}
    for mark in sorted(marks, key=lambda mark: (mark.at_s, mark.why is not Boundary.TITLE)):
        by_place.setdefault(mark.at_s, mark)
    return list(by_place.values())


def _changes(told: Iterable[tuple[float, str | None]], why: Boundary, *, is_over: bool) -> Iterator[Mark]:
    # A chunk that was sent without one changes nothing.
    named = [(at_s, name) for at_s, name in told if name]
    if not named:
        return
    present = named[0][1]
    for (at_s, name), following in zip(named, [*named[1:], None], strict=True):
        if name == present:
            continue
        if following[1] == name if following is not None else is_over:
            present = name
            yield Mark(at_s, why)


def _gaps(ordered: Sequence[HeardChunk]) -> Iterator[Mark]:
    reached_s = ordered[0].end_s if ordered else 0.0
    for chunk in ordered:
        if chunk.start_s >= reached_s + LONG_GAP_S:
            yield Mark(chunk.start_s, Boundary.GAP)
        reached_s = max(reached_s, chunk.end_s)
