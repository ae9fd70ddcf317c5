"""Scores what a late reader reads against what was planted: recall, stale, invented, evidence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.late_readers import Block, Memory
from benchmarks.planted_plan import Fact, Planted
from streametrics.domain.transcript import Segment
from streametrics.text import sentences
from streametrics.text.pieces import tokens

THIRDS = ("first", "middle", "last")


@dataclass(slots=True)
class Scores:
    """Counts of one reading, or of several. by_age: told and known facts by the third in which they were said.

    stale: facts told as they were before their correction, and nowhere right. stale_in_a_chapter: told right, and wrong
    as well, in a chapter that was closed before. told_decoys: told without the word that they are false.
    """

    told: int = 0
    known: int = 0
    told_by_age: Counter[str] = field(default_factory=Counter)
    known_by_age: Counter[str] = field(default_factory=Counter)
    corrected: int = 0
    stale: int = 0
    stale_in_a_chapter: int = 0
    decoys: int = 0
    told_decoys: int = 0
    invented: int = 0
    cited: int = 0
    cited_right: int = 0
    letters: int = 0
    readings: int = 0

    def __iadd__(self, other: "Scores") -> "Scores":
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def recall(self) -> float:
        return self.told / max(1, self.known)

    def recall_of(self, third: str) -> float:
        return self.told_by_age[third] / max(1, self.known_by_age[third])


def scored(blocks: Sequence[Block], stream: Planted, at_s: float, heard: Mapping[int, Segment]) -> Scores:
    """Score what is read when the stream was heard so far. heard: segments by number."""
    scores = Scores(readings=1, letters=sum(len(block.text) for block in blocks))
    told = [_Told(block) for block in blocks]
    for fact in stream.facts:
        value = fact.value_at(at_s)
        if value is None:
            continue
        third = THIRDS[min(2, int(3 * fact.said_s / at_s))]
        tells = any(block.tells(fact.subject, value) for block in told)
        scores.known += 1
        scores.known_by_age[third] += 1
        scores.told += tells
        scores.told_by_age[third] += tells
        if fact.wrong is not None and value == fact.value:
            is_wrong = any(block.tells(fact.subject, fact.wrong, instead_of=value) for block in told)
            scores.corrected += 1
            scores.stale += is_wrong and not tells
            scores.stale_in_a_chapter += is_wrong and tells
        _cite(scores, fact, value, blocks, heard)
    for decoy in stream.decoys:
        if decoy.said_s <= at_s:
            scores.decoys += 1
            scores.told_decoys += any(block.tells(decoy.subject, decoy.value) for block in told)
    spoken = {token for segment in heard.values() for token in tokens(segment.text)}
    scores.invented = sum(len(set(_words(block)) - spoken) for block in blocks)
    return scores


def _words(block: Block) -> list[str]:
    return [token for text in (block.text, *block.labels) for token in tokens(text.replace("…", " "))]


class _Told:
    """A block's sentences, as sets of words. A value counts in the sentence of its subject, or in the next one."""

    def __init__(self, block: Block) -> None:
        texts = [sentence.text for sentence in block.sentences] or sentences.split(block.text)
        self._sentences = [set(tokens(text)) for text in texts]

    def tells(self, subject: str, value: str, *, instead_of: str | None = None) -> bool:
        """instead_of: a value beside which, or before which, the other does no harm."""
        about, wanted = set(tokens(subject)), value.casefold()
        for index, words in enumerate(self._sentences):
            with_next = words.union(*self._sentences[index + 1 : index + 2])
            if about <= words and wanted in with_next:
                return instead_of is None or instead_of.casefold() not in with_next
        return False


def _cite(scores: Scores, fact: Fact, value: str, blocks: Sequence[Block], heard: Mapping[int, Segment]) -> None:
    """Look whether the segments that a told sentence names hold its value."""
    for block in blocks:
        for sentence in block.sentences:
            words = set(tokens(sentence.text))
            if value.casefold() in words and set(tokens(fact.subject)) <= words:
                span = range(sentence.first_segment, sentence.last_segment + 1)
                said = {token for number in span for token in tokens(heard[number].text)}
                scores.cited += 1
                scores.cited_right += words <= said


def search_hits(memory: Memory, stream: Planted, at_s: float) -> tuple[int, int]:
    """Count the facts that a search for their value finds where they were said, and all that were said."""
    hits = known = 0
    for fact in stream.facts:
        value = fact.value_at(at_s)
        if value is not None:
            said_s = fact.corrected_s if fact.wrong is not None and value == fact.value else fact.said_s
            known += 1
            hits += any(abs(each.segment.end - (said_s or 0.0)) < 15 for each in memory.found(value))
    return hits, known


def matched(found: Sequence[float], true: Sequence[float], tolerance_s: float) -> int:
    """Count the borders that have a found one within the tolerance; each found one counts once."""
    left = list(found)
    count = 0
    for border in true:
        near = [each for each in left if abs(each - border) <= tolerance_s]
        if near:
            left.remove(min(near, key=lambda each: abs(each - border)))
            count += 1
    return count
