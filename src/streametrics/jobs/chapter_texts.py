"""Hands chapters to a worker that asks a model, and writes what comes back where words that were said bear it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streametrics.database.streams import StreamRecord
from streametrics.jobs.chapters import sentences_between
from streametrics.jobs.connections import Connections
from streametrics.jobs.lease_holder import lease_holder_name
from streametrics.recap.chapters import Chapter
from streametrics.recap.evidence import is_supported
from streametrics.recap.extraction import Stretch
from streametrics.recap.spoken import SpokenSentence
from streametrics.text import sentences as text_sentences

#: A model may write of a chapter for so long after it was closed, in seconds; then it stays as it was picked.
WRITABLE_S = 600.0
#: How long one chapter may take, in seconds: its stream is leased for that.
LEASE_S = 180.0
#: Of a chapter's words a model reads what tells most, so many letters: its prompt does not grow with the chapter.
MATERIAL_LETTERS = 2400


@dataclass(frozen=True, slots=True)
class ChapterToWrite:
    """A claimed chapter. lines: what a model is to read of it; language: in which it is to write."""

    stream: StreamRecord
    chapter: Chapter
    lines: tuple[SpokenSentence, ...]
    language: str


class ChapterTexts:
    """Claims chapters for a model and settles them. Thread-safe; raises DatabaseUnavailable."""

    def __init__(self, connections: Connections) -> None:
        self._records = connections.chapters
        self._streams = connections.streams
        self._backlog = connections.backlog
        self._holder = lease_holder_name("chapters")

    def chunk_waits(self) -> bool:
        """Tell whether a chunk's own summary is due, or being written: it goes before."""
        return self._backlog.live_summary_is_due()

    def claim(self) -> ChapterToWrite | None:
        """Claim the newest chapter that a model may write of; None where there is none."""
        claimed = self._records.claim_for_model(self._holder, within_s=WRITABLE_S, lease_s=LEASE_S)
        if claimed is None:
            return None
        stream, chapter = claimed
        said = sentences_between(self._streams, stream.number, chapter.start_s, chapter.end_s)
        inside = [sentence for sentence in said if chapter.start_s <= sentence.start_s < chapter.end_s]
        lines = tuple(Stretch(inside).gist(MATERIAL_LETTERS)) if inside else ()
        spoken = [sentence.language for sentence in lines if sentence.language]
        language = next(iter(stream.summary_languages), None) or max(set(spoken), key=spoken.count, default="en")
        return ChapterToWrite(stream, chapter, lines, language)

    def release(self, work: ChapterToWrite) -> None:
        """Give a chapter back, whether or not it was settled."""
        self._records.release(work.stream, self._holder)

    def give_up(self, work: ChapterToWrite) -> None:
        """Leave a chapter as it was picked, for good."""
        self._records.settle(work.stream, work.chapter, None)

    def settle(
        self,
        work: ChapterToWrite,
        title: str,
        sentences: Sequence[tuple[str, Sequence[int]]],
        *,
        source: str,
        model: str,
    ) -> bool:
        """Write a chapter's title and sentences, each with the lines that it comes from; False where nothing is kept.

        A sentence with a name or number that its lines do not have is dropped, and so is such a title.
        """
        kept = [
            _placed(text, [work.lines[line] for line in lines], work.language)
            for text, lines in sentences
            if is_supported(text, " ".join(work.lines[line].text for line in lines))
        ]
        if not kept:
            self.give_up(work)
            return False
        before = work.chapter.text
        text = replace(
            before,
            title=title if title and is_supported(title, " ".join(line.text for line in work.lines)) else before.title,
            summary=text_sentences.join(sentence.text for sentence in kept),
            sentences=tuple(kept),
            source=source,
            model=model,
        )
        return self._records.settle(work.stream, work.chapter, text)


def _placed(text: str, evidence: Sequence[SpokenSentence], language: str) -> SpokenSentence:
    """Give a model's sentence the place of what bears it out."""
    return SpokenSentence(
        text,
        min(each.start_s for each in evidence),
        max(each.end_s for each in evidence),
        min(each.first_segment for each in evidence),
        max(each.last_segment for each in evidence),
        language,
    )
