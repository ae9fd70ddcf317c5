"""What somebody reads who looks into a stream late: of a stream with a memory, and of ways without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.planted_plan import Chunk
from streametrics.recap.boundaries import LONG_GAP_S, Boundary, Mark, next_chapter
from streametrics.recap.chapters import ChapterText
from streametrics.recap.composing import BEFORE_S, EXTRACTIVE, chapter_text
from streametrics.recap.extraction import Stretch, overview
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences
from streametrics.streams.coverage import ChunkState, Extent, coverage
from streametrics.streams.search_terms import phrases_of, words_of
from streametrics.streams.times import Clock
from streametrics.summarization.extractive import central_sentences

#: Letters of a recap on a page, and in a chat.
PAGE_LETTERS, CHAT_LETTERS = 2000, 380
_NO_TEXT = ChapterText("", "", (), (), EXTRACTIVE)


@dataclass(frozen=True, slots=True)
class Block:
    """A text that is read in one go, and the sentences of which it is made, where it is made of sentences."""

    text: str
    sentences: tuple[SpokenSentence, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, sentences: Sequence[SpokenSentence], labels: Sequence[str] = ()) -> "Block":
        return cls(" ".join(sentence.text for sentence in sentences), tuple(sentences), tuple(labels))


@dataclass(frozen=True, slots=True)
class Chapter:
    start_s: float
    why: Boundary
    end_s: float
    text: ChapterText
    sentences: tuple[SpokenSentence, ...]


@dataclass(slots=True)
class Memory:
    """A stream with a memory, as the service keeps one: chapters are closed as chunks come, and stay so."""

    marks: Sequence[Mark] = ()
    keeps_text: bool = True
    chapters: list[Chapter] = field(default_factory=list)
    segments: list[NumberedSegment] = field(default_factory=list)
    _open: list[NumberedSegment] = field(default_factory=list)
    _extents: list[Extent] = field(default_factory=list)
    _said: list[SpokenSentence] = field(default_factory=list)
    _known: list[Mark] = field(default_factory=list)
    _start: Mark = field(default_factory=lambda: Mark(0.0, Boundary.START))

    def add(self, chunk: Chunk) -> None:
        if self._extents and chunk.start_s - self._extents[-1].end_s >= LONG_GAP_S:
            self._known.append(Mark(chunk.start_s, Boundary.GAP))
        self._known += [mark for mark in self.marks if chunk.start_s <= mark.at_s < chunk.end_s]
        self._extents.append(Extent(chunk.start_s, chunk.end_s, ChunkState.HEARD))
        self.segments += chunk.segments
        self._open += chunk.segments
        while self._close(chunk.end_s):
            pass

    def _close(self, reached_s: float) -> bool:
        sentences = spoken_sentences(self._open)
        marks = [mark for mark in self._known if mark.at_s > self._start.at_s]
        border = next_chapter(sentences, start_s=self._start.at_s, reached_s=reached_s, marks=marks)
        if border is None:
            return False
        closed = [sentence for sentence in sentences if sentence.start_s < border.at_s]
        text = chapter_text(closed, self._before()) if self.keeps_text else _NO_TEXT
        self.chapters.append(Chapter(self._start.at_s, self._start.why, border.at_s, text, tuple(closed)))
        self._said += closed
        self._open = [each for each in self._open if each.segment.start >= border.at_s]
        self._start = border
        return True

    def _before(self) -> list[SpokenSentence]:
        return [sentence for sentence in self._said if sentence.end_s >= self._start.at_s - BEFORE_S]

    @property
    def borders(self) -> list[float]:
        return [chapter.end_s for chapter in self.chapters]

    def borders_anew(self) -> list[float]:
        """Find the borders from the beginning, with all that is known now."""
        found = [0.0]
        while True:
            said = spoken_sentences(each for each in self.segments if each.segment.start >= found[-1])
            marks = [mark for mark in self._known if mark.at_s > found[-1]]
            border = next_chapter(said, start_s=found[-1], reached_s=self._extents[-1].end_s, marks=marks)
            if border is None:
                return found[1:]
            found.append(border.at_s)

    def recap(self, most_letters: int) -> Block:
        told = [chapter.text.sentences for chapter in self.chapters]
        return Block.of(overview([*told, self._open_text().sentences], most_letters=most_letters))

    def page(self) -> list[Block]:
        chapters = [_chapter(each.text) for each in self.chapters]
        return [self.recap(PAGE_LETTERS), *chapters, _chapter(self._open_text())]

    def _open_text(self) -> ChapterText:
        return chapter_text(spoken_sentences(self._open), self._before())

    def chat(self) -> list[Block]:
        return [self.recap(CHAT_LETTERS)]

    def missing_s(self) -> float:
        """The seconds of which the page says that they were not heard."""
        return coverage(self._extents, clock=Clock.OFFSET).missing_s

    def found(self, query: str) -> list[NumberedSegment]:
        """Search for words as the service does."""
        wanted = phrases_of(query)
        return [each for each in self.segments if _holds(words_of(each.segment.text), wanted)]


def _chapter(text: ChapterText) -> Block:
    return Block.of(text.sentences, (text.title, *text.keywords))


def _holds(words: Sequence[str], phrases: Sequence[Sequence[str]]) -> bool:
    return all(
        any(words[at : at + len(phrase)] == list(phrase) for at in range(len(words) - len(phrase) + 1))
        for phrase in phrases
    )


def last_chunk(chunks: Sequence[Chunk], most_letters: int) -> list[Block]:
    """The summary of the last chunk alone: what there was without a memory."""
    return [Block(central_sentences(_text(chunks[-1:]))[:most_letters])]


def rolling(chunks: Sequence[Chunk], most_letters: int) -> list[Block]:
    """The newest summaries of chunks, as many as are read."""
    told = ""
    for chunk in reversed(chunks):
        told = f"{central_sentences(_text([chunk]))} {told}"
        if len(told) > most_letters:
            break
    return [Block(told.strip()[-most_letters:])]


def head_and_tail(chunks: Sequence[Chunk], most_letters: int) -> list[Block]:
    """How the transcript begins, and how it ends."""
    text = _text(chunks)
    return [Block(text[: most_letters // 2]), Block(text[-(most_letters // 2) :])]


def whole(chunks: Sequence[Chunk], most_letters: int) -> list[Block]:
    """The best sentences of the whole transcript, picked at the end by the same rules."""
    sentences = spoken_sentences(segment for chunk in chunks for segment in chunk.segments)
    return [Block.of(Stretch(sentences).gist(most_letters))]


def _text(chunks: Sequence[Chunk]) -> str:
    return " ".join(segment.segment.text for chunk in chunks for segment in chunk.segments)
