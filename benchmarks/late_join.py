"""Measures what somebody learns who joins a stream late: LateJoin-6, and where chapters end. No model.

Streams of six hours are made with known facts (`planted.py`). A reader joins at minute 10, 60, 180 and 360 and reads a
chat line of at most 380 letters, or a page: a recap of at most 2,000 letters and each chapter's title, summary and key
words. Seeds below 100 are for development; those from 100 on say things in other words and have no part in any choice.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from benchmarks import glued, report
from benchmarks.late_readers import CHAT_LETTERS, PAGE_LETTERS, Block, Memory, head_and_tail, last_chunk, rolling, whole
from benchmarks.late_scores import THIRDS, Scores, matched, scored, search_hits
from benchmarks.meetings import MeetingsMissing
from benchmarks.planted import planted
from benchmarks.planted_plan import Chunk, Planted
from streametrics.recap.composing import GIST_LETTERS

DEVELOPMENT, HELD_OUT = tuple(range(1, 9)), tuple(range(101, 109))
QUICK = (1, 2)
JOINS_MIN = (10, 60, 180, 360)
TOLERANCE_S = 60.0
Reading = Callable[[Sequence[Chunk], int], list[Block]]
BASELINES: dict[str, Reading] = {
    "last chunk": last_chunk,
    "rolling, the newest summaries of chunks": rolling,
    "head and tail": head_and_tail,
    "whole transcript, at the end": whole,
}


@dataclass(slots=True)
class Borders:
    """Found and true borders."""

    hits: int = 0
    found: int = 0
    true: int = 0

    def add(self, found: Sequence[float], true: Sequence[float]) -> None:
        self.hits += matched(found, true, TOLERANCE_S)
        self.found += len(found)
        self.true += len(true)

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, self.found + self.true)


@dataclass(slots=True)
class Figures:
    """What was counted over several streams. readings: by name and minute."""

    readings: dict[tuple[str, int], Scores] = field(default_factory=dict)
    marked: Borders = field(default_factory=Borders)
    unmarked: Borders = field(default_factory=Borders)
    changed: int = 0
    searched: int = 0
    found: int = 0
    declared_s: float = 0.0
    withheld_s: float = 0.0

    def __iadd__(self, other: "Figures") -> "Figures":
        for (name, minute), scores in other.readings.items():
            self.add(name, minute, scores)
        for mine, its in ((self.marked, other.marked), (self.unmarked, other.unmarked)):
            mine.hits, mine.found, mine.true = mine.hits + its.hits, mine.found + its.found, mine.true + its.true
        for name in ("changed", "searched", "found", "declared_s", "withheld_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def add(self, name: str, minute: int, scores: Scores) -> None:
        self.readings.setdefault((name, minute), Scores())
        self.readings[name, minute] += scores


def measure(seeds: Sequence[int]) -> Figures:
    """Read each seed's stream late; two streams at a time."""
    figures = Figures()
    with ProcessPoolExecutor(2) as pool:
        for each in pool.map(read_late, seeds):
            figures += each
    return figures


def read_late(seed: int) -> Figures:
    """Read one seed's stream late."""
    stream, figures = planted(seed), Figures()
    memory, unmarked = Memory(stream.marks), Memory(keeps_text=False)
    seen: list[list[float]] = []
    for position, chunk in enumerate(stream.chunks):
        memory.add(chunk)
        unmarked.add(chunk)
        seen.append(memory.borders)
        for minute in JOINS_MIN:
            next_s = stream.chunks[position + 1].end_s if position + 1 < len(stream.chunks) else float("inf")
            if chunk.end_s <= minute * 60 < next_s:
                _join(stream, memory, stream.chunks[: position + 1], minute, figures)
    figures.marked.add(memory.borders, stream.borders)
    figures.unmarked.add(unmarked.borders, stream.borders)
    figures.changed += sum(memory.borders[: len(borders)] != borders for borders in seen)
    figures.changed += sum(a != b for a, b in zip(memory.borders, memory.borders_anew(), strict=False))
    figures.changed += len(memory.borders) != len(memory.borders_anew())
    hits, known = search_hits(memory, stream, JOINS_MIN[-1] * 60.0)
    figures.found += hits
    figures.searched += known
    figures.declared_s += memory.missing_s()
    figures.withheld_s += stream.withheld_s
    return figures


def _join(stream: Planted, memory: Memory, chunks: Sequence[Chunk], minute: int, figures: Figures) -> None:
    heard = {each.number: each.segment for each in memory.segments}
    page, chat = memory.page(), memory.chat()
    readings = {"page": page, "chat": chat}
    for name, read in BASELINES.items():
        readings[f"{name}, {PAGE_LETTERS} letters"] = read(chunks, PAGE_LETTERS)
        readings[f"{name}, {CHAT_LETTERS} letters"] = read(chunks, CHAT_LETTERS)
    letters = sum(len(block.text) for block in page)
    readings["whole transcript, at the end, as long as the page"] = whole(chunks, letters)
    for name, blocks in readings.items():
        figures.add(name, minute, scored(blocks, stream, minute * 60.0, heard))


def rows(figures: Figures, label: str) -> list[tuple[str, str, str]]:
    """What is reported of a set of streams."""
    last = JOINS_MIN[-1]
    page = figures.readings["page", last]
    told = [(name, score) for (name, minute), score in figures.readings.items() if minute == last]
    result = [
        (
            f"{label}: recall of the {name}, at minutes {', '.join(map(str, JOINS_MIN))}",
            ", ".join(f"{figures.readings[name, minute].recall:.1%}" for minute in JOINS_MIN),
            f"{figures.readings[name, last].letters // figures.readings[name, last].readings} letters at the last",
        )
        for name in ("page", "chat")
    ]
    result.append(
        (f"{label}: recall of the page by the fact's age, {', '.join(THIRDS)} third", _by_age(page), "at minute 360")
    )
    result += [
        (f"{label}: recall of {name}", f"{score.recall:.1%}", f"by age {_by_age(score)}; stale {score.stale}")
        for name, score in told
        if name not in ("page", "chat")
    ]
    beside = f"and {page.stale_in_a_chapter} more told wrong in a chapter that was closed before, and right elsewhere"
    invented = sum(figures.readings[name, minute].invented for name in ("page", "chat") for minute in JOINS_MIN)
    result += [
        (f"{label}: stale, of corrected facts", f"{page.stale} of {page.corrected}", beside),
        (f"{label}: decoys told as facts", f"{page.told_decoys} of {page.decoys}", "read out from chat as false"),
        (f"{label}: invented words, page and chat", str(invented), "in no segment that was heard; titles count"),
        (f"{label}: cited span holds the fact", f"{page.cited_right} of {page.cited}", "each told sentence's segments"),
        (f"{label}: withheld seconds declared", f"{figures.declared_s / figures.withheld_s:.1%}", "coverage"),
        (f"{label}: search hits", f"{figures.found} of {figures.searched}", "for each value, within 15 s"),
        (f"{label}: borders of closed chapters changed", str(figures.changed), "at any chunk, and when found anew"),
        (f"{label}: borders, F1 ± 60 s, two of three marked", _f1(figures.marked), "by title, game or pause"),
        (f"{label}: the same with pauses alone", _f1(figures.unmarked), "words and 3 of 29 borders"),
    ]
    return result


def _by_age(scores: Scores) -> str:
    return ", ".join(f"{scores.recall_of(third):.1%}" for third in THIRDS)


def _f1(borders: Borders) -> str:
    return f"{borders.f1:.2f}, {borders.hits} right of {borders.found} found and {borders.true} true"


def glued_rows() -> list[tuple[str, str, str]]:
    """Borders in glued pieces of real meetings, those of half the meetings held out."""
    try:
        figures = {label: glued.measure(half) for label, half in (("development", 0), ("held out", 1))}
    except MeetingsMissing:
        return [("glued meetings", "–", "QMSum is not here")]
    return [
        (
            f"glued meetings, {label}: F1 ± 60 s, count unknown",
            f"{each.f1:.2f}, {each.hits} right of {each.found} found and {each.true} true",
            f"ten pieces of about 650 words, 16 times; Pk {each.pk:.2f}, WindowDiff {each.window_diff:.2f}"
            f" (no border at all: {each.pk_of_none:.2f})",
        )
        for label, each in figures.items()
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="two of them, in under a minute; kept nowhere")
    options.add_argument("--development", action="store_true", help="the seeds for development alone; kept nowhere")
    chosen = options.parse_args()
    if chosen.quick or chosen.development:
        for what, figure, how in rows(measure(QUICK if chosen.quick else DEVELOPMENT), "development"):
            print(f"{what} | {figure} | {how}")
        return
    table = [*rows(measure(HELD_OUT), "held out"), *rows(measure(DEVELOPMENT), "development"), *glued_rows()]
    table.append(("letters of a chapter's summary", str(GIST_LETTERS), "`recap/composing.py`"))
    report.write("late-join", "What a late reader learns (LateJoin-6), extractive", table, ("numpy",))


if __name__ == "__main__":
    main()
