"""Describes chapters: their borders, which stay once they are closed, and what is said of them."""

from dataclasses import dataclass

from streametrics.recap.boundaries import Boundary
from streametrics.recap.spoken import SpokenSentence


@dataclass(frozen=True, slots=True)
class ChapterText:
    """What is said of a chapter. sentences: those that its summary was picked from."""

    title: str
    summary: str
    keywords: tuple[str, ...]
    sentences: tuple[SpokenSentence, ...]
    source: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A closed chapter: its borders in seconds of the stream, and its first and last segment by their numbers.

    title_edited, summary_edited: whether a person wrote it.
    """

    place: int
    start_s: float
    end_s: float
    boundary: Boundary
    text: ChapterText
    segments: tuple[int, int] | None
    title_edited: bool = False
    summary_edited: bool = False
    revision: int = 1
    is_stale: bool = False
