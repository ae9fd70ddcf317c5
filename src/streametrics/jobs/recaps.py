"""Serves recaps and chapters of streams: what is closed is read, what is open is composed of its words, at once."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from streametrics.auth.principal import Principal
from streametrics.database.stream_joining import Overtaken
from streametrics.database.streams import StreamRecord
from streametrics.errors import ChapterUnknown, InvalidRequest, JobNotReady, StreamContested, StreamStartUnknown
from streametrics.jobs.chapters import BEGINNING_S, END_S, sentences_between
from streametrics.jobs.connections import Connections
from streametrics.jobs.masking import masked, masked_chapter, masked_sentences
from streametrics.jobs.service import TranscriptSoFar
from streametrics.jobs.streams import StreamService
from streametrics.recap.boundaries import Boundary
from streametrics.recap.chapters import Chapter
from streametrics.recap.composing import BEFORE_S, EXTRACTIVE, chapter_of, chapter_text
from streametrics.recap.dividing import chapters_of
from streametrics.recap.extraction import Stretch, overview
from streametrics.recap.spoken import SpokenSentence
from streametrics.streams.since import Since, SinceKind, read_since
from streametrics.streams.times import Clock
from streametrics.text import sentences as text_sentences

#: What counts as recent, in seconds.
RECENT_S = 600.0
#: Of less speech there is no recap, in seconds: its words say it.
LEAST_SPEECH_S = 60.0
#: Of less, what is asked for since some time is picked from the words, and not from the chapters, in seconds.
FROM_WORDS_S = 1800.0
#: How far in the future an instant may lie, in seconds: clocks differ.
CLOCKS_DIFFER_S = 60.0
#: How often a person's words are written again because the stream has changed meanwhile.
MOST_TRIES = 10
#: What was composed and is kept, each for one version of its stream.
KEPT = 512


Made = TypeVar("Made")


class RecapScope(StrEnum):
    """What a recap is of."""

    NOW = "now"  #: the newest chunk
    RECENT = "recent"  #: the last ten minutes
    STREAM = "stream"  #: all of it
    SINCE = "since"  #: from a point in time on


class RecapState(StrEnum):
    """What there is to read."""

    READY = "ready"
    WORDS = "words"  #: too little was said for a recap: what was said
    EMPTY = "empty"  #: nothing was said


@dataclass(frozen=True, slots=True)
class Recap:
    """What is told of a stretch of a stream, in seconds of the stream. sentences: those it was picked from."""

    scope: RecapScope
    state: RecapState
    start_s: float
    end_s: float
    text: str
    sentences: tuple[SpokenSentence, ...] = ()
    keywords: tuple[str, ...] = ()
    language: str | None = None
    source: str = EXTRACTIVE
    model: str | None = None


@dataclass(frozen=True, slots=True)
class StreamChapters:
    """A stream's chapters: the closed ones, and the open one where anything was said in it."""

    stream: StreamRecord
    closed: tuple[Chapter, ...]
    open: Chapter | None

    @property
    def all(self) -> tuple[Chapter, ...]:
        """All of them, in order."""
        return self.closed if self.open is None else (*self.closed, self.open)


class RecapService:
    """Composes recaps and chapters for clients, and takes what people write of chapters. Thread-safe."""

    def __init__(self, connections: Connections, streams: StreamService) -> None:
        self._records = connections.chapters
        self._segments = connections.streams
        self._streams = streams
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def chapters(self, stream: StreamRecord) -> StreamChapters:
        """Read a stream's closed chapters, and compose the open one."""
        return self._once((*_kept_as(stream), "chapters"), lambda: self._chapters(stream))

    def of_job(self, found: TranscriptSoFar) -> tuple[Chapter, ...]:
        """Divide a job's transcript into chapters, whole or as far as it has come. Raises JobNotReady."""
        transcript = found.transcript
        if transcript is None:
            raise JobNotReady("Of this chunk only the text is known yet, without times: ask again in a moment.")
        end_s = max(found.record.audio_s or 0.0, *(segment.end for segment in transcript.segments), 0.0)

        def divide() -> tuple[Chapter, ...]:
            return tuple(masked_chapter(each, ()) for each in chapters_of(transcript, end_s=end_s))

        return self._once((found.record.task_id, len(transcript.segments)), divide)

    def recap(self, stream: StreamRecord, scope: RecapScope, *, most_letters: int) -> Recap:
        """Compose a recap of now, of the last ten minutes, or of all."""
        compose = {RecapScope.NOW: self._now, RecapScope.RECENT: self._recent, RecapScope.STREAM: self._whole}[scope]
        return self._once(
            (*_kept_as(stream), scope, most_letters),
            lambda: _shown(stream, compose(stream, most_letters), most_letters),
        )

    def since(self, stream: StreamRecord, since: str, *, most_letters: int) -> Recap:
        """Compose a recap of what came after a point in time. Raises InvalidRequest, StreamStartUnknown."""
        start_s = max(_position(stream, since), stream.start_s)
        return self._once(
            (*_kept_as(stream), start_s, most_letters),
            lambda: _shown(stream, self._since(stream, start_s, most_letters), most_letters),
        )

    def edit_chapter(
        self, stream_id: str, chapter_id: str, principal: Principal, *, title: str | None, summary: str | None
    ) -> tuple[StreamRecord, Chapter]:
        """Set what a person says of a closed chapter. Raises StreamUnknown, StreamErased, ChapterUnknown."""
        for _ in range(MOST_TRIES):
            stream = self._streams.get(stream_id, principal)
            chapter = self._closed(stream, chapter_id)
            try:
                self._records.edit(stream, chapter, title=title, summary=summary)
            except Overtaken:
                continue
            stream = self._streams.get(stream_id, principal)
            return stream, masked_chapter(self._closed(stream, chapter_id), stream.said.phrases)
        raise StreamContested

    def _closed(self, stream: StreamRecord, chapter_id: str) -> Chapter:
        found = next((each for each in self._records.of(stream.number) if chapter_name(each.place) == chapter_id), None)
        if found is None:
            raise ChapterUnknown
        return found

    def _chapters(self, stream: StreamRecord) -> StreamChapters:
        phrases = stream.said.phrases
        # One that was closed since the stream was read is open in this version of it.
        known = [each for each in self._records.of(stream.number) if each.place <= stream.chapter_count]
        closed = tuple(masked_chapter(each, phrases) for each in known)
        start_s = BEGINNING_S if stream.chapter_start_s is None else stream.chapter_start_s
        inside, before = self._said(stream, start_s, END_S)
        if not inside:
            return StreamChapters(stream, closed, None)
        opened = chapter_of(
            stream.chapter_count + 1,
            max(start_s, stream.start_s),
            max(stream.end_s, inside[-1].end_s),
            Boundary(stream.chapter_boundary or Boundary.START),
            inside,
            before,
        )
        return StreamChapters(stream, closed, masked_chapter(opened, phrases))

    def _now(self, stream: StreamRecord, most_letters: int) -> Recap:
        found = self._records.newest_summary(stream.number)
        if found is None:
            start_s = max(stream.end_s - LEAST_SPEECH_S, stream.start_s)
            return self._of_words(stream, RecapScope.NOW, start_s, most_letters)
        start_s, end_s, summary = found
        return Recap(
            RecapScope.NOW,
            RecapState.READY,
            start_s,
            end_s,
            summary.text,
            language=summary.language,
            source=summary.source,
            model=summary.model,
        )

    def _recent(self, stream: StreamRecord, most_letters: int) -> Recap:
        start_s = max(stream.end_s - RECENT_S, stream.start_s)
        return self._of_words(stream, RecapScope.RECENT, start_s, most_letters)

    def _since(self, stream: StreamRecord, start_s: float, most_letters: int) -> Recap:
        if stream.end_s - start_s <= FROM_WORDS_S:
            return self._of_words(stream, RecapScope.SINCE, start_s, most_letters)
        return self._of_chapters(stream, RecapScope.SINCE, start_s, most_letters)

    def _whole(self, stream: StreamRecord, most_letters: int) -> Recap:
        return self._of_chapters(stream, RecapScope.STREAM, stream.start_s, most_letters)

    def _of_words(self, stream: StreamRecord, scope: RecapScope, start_s: float, most_letters: int) -> Recap:
        """Pick a recap from what was said from there on."""
        inside, before = self._said(stream, start_s, END_S)
        if (few := _few_words(scope, stream, start_s, inside, most_letters)) is not None:
            return few
        stretch = Stretch(inside, before)
        return _recap(scope, stream, start_s, stretch.gist(most_letters), stretch.keywords())

    def _of_chapters(self, stream: StreamRecord, scope: RecapScope, start_s: float, most_letters: int) -> Recap:
        """Pick a recap from the chapters from there on; one that began before counts from there."""
        found = self.chapters(stream)
        whole = [chapter for chapter in found.closed if chapter.start_s >= start_s]
        told = [_told(chapter) for chapter in whole]
        cut = next((chapter for chapter in found.closed if chapter.start_s < start_s < chapter.end_s), None)
        if cut is not None:
            inside, before = self._said(stream, start_s, cut.end_s)
            told.insert(0, list(chapter_text(inside, before).sentences))
        if not whole and cut is None:
            inside, _ = self._said(stream, start_s, END_S)
            if (few := _few_words(scope, stream, start_s, inside, most_letters)) is not None:
                return few
        if found.open is not None:
            told.append([sentence for sentence in found.open.text.sentences if sentence.start_s >= start_s])
        picked = overview(told, most_letters=most_letters)
        words = dict.fromkeys(word for chapter in found.all[-6:] for word in chapter.text.keywords[:2])
        return _by_its_writers(_recap(scope, stream, start_s, picked, list(words)), whole)

    def _said(
        self, stream: StreamRecord, start_s: float, end_s: float
    ) -> tuple[list[SpokenSentence], list[SpokenSentence]]:
        """Read what was said in a stretch, and in the BEFORE_S before it."""
        from_s = start_s - BEFORE_S
        latest_from_s = min(stream.chapter_start_s or BEGINNING_S, stream.end_s - RECENT_S) - BEFORE_S
        if from_s >= latest_from_s:
            # Of these each question about a live stream is answered, so they are read once for each version of it.
            said = self._once(
                (*_kept_as(stream), "said"),
                lambda: sentences_between(self._segments, stream.number, latest_from_s, END_S),
            )
        else:
            said = sentences_between(self._segments, stream.number, from_s, end_s)
        inside = [sentence for sentence in said if start_s <= sentence.start_s < end_s]
        return inside, [sentence for sentence in said if from_s <= sentence.start_s < start_s]

    def _once(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """Make a thing once for each version of its stream."""
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept  # type: ignore[no-any-return] # as it was made for this key
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


def chapter_name(place: int) -> str:
    """Name a chapter by its place in its stream."""
    return f"ch_{place}"


def _kept_as(stream: StreamRecord) -> tuple[Any, ...]:
    """Name what was composed of a stream as it is."""
    return stream.number, stream.state_version, stream.said.phrases


def _shown(stream: StreamRecord, recap: Recap, most_letters: int) -> Recap:
    """Mask a recap, and keep it within its length, which a single sentence may exceed."""
    phrases = stream.said.phrases
    return replace(
        recap,
        text=_shortened(masked(recap.text, phrases), most_letters),
        keywords=tuple(word for word in recap.keywords if masked(word, phrases) == word),
        sentences=masked_sentences(recap.sentences, phrases),
    )


def _told(chapter: Chapter) -> list[SpokenSentence]:
    """Give what a recap takes from a chapter: a person's words where there are any."""
    if not chapter.summary_edited:
        return list(chapter.text.sentences)
    first, last = chapter.segments or (0, 0)
    return [SpokenSentence(chapter.text.summary, chapter.start_s, chapter.end_s, first, last)]


def _few_words(
    scope: RecapScope, stream: StreamRecord, start_s: float, said: Sequence[SpokenSentence], most_letters: int
) -> Recap | None:
    """Tell what was said where that is too little for a recap; None where it is enough."""
    speech_s = sum(sentence.end_s - sentence.start_s for sentence in said)
    if speech_s >= LEAST_SPEECH_S:
        return None
    told: list[SpokenSentence] = []
    letters = 0
    for sentence in reversed(said):
        letters += len(sentence.text) + 1
        if told and letters > most_letters + 1:
            break
        told.insert(0, sentence)
    found = _recap(scope, stream, start_s, told, Stretch(said).keywords())
    return replace(found, state=RecapState.WORDS if told else RecapState.EMPTY)


def _recap(
    scope: RecapScope,
    stream: StreamRecord,
    start_s: float,
    picked: Sequence[SpokenSentence],
    keywords: Sequence[str],
) -> Recap:
    languages = [sentence.language for sentence in picked if sentence.language]
    return Recap(
        scope,
        RecapState.READY if picked else RecapState.EMPTY,
        start_s,
        max(stream.end_s, start_s),
        text_sentences.join(sentence.text for sentence in picked),
        tuple(picked),
        tuple(keywords),
        language=max(set(languages), key=languages.count, default=stream.speech_language),
    )


def _by_its_writers(recap: Recap, chapters: Sequence[Chapter]) -> Recap:
    """Name the model, or the person, that wrote any of a recap's sentences."""
    told = set(recap.sentences)
    writers = (each.text for each in chapters if each.text.source != EXTRACTIVE and told & set(_told(each)))
    found = next(writers, None)
    return recap if found is None else replace(recap, source=found.source, model=found.model)


def _shortened(text: str, most_letters: int) -> str:
    """Keep the first sentences that fit, or the first words of the first one."""
    if len(text) <= most_letters:
        return text
    kept = ""
    for sentence in text_sentences.split(text):
        longer = text_sentences.join(filter(None, [kept, sentence]))
        if len(longer) > most_letters:
            break
        kept = longer
    return kept or f"{text[: most_letters - 1].rsplit(' ', 1)[0]}…"


def _position(stream: StreamRecord, text: str) -> float:
    since = read_since(text)
    if since is None:
        raise InvalidRequest(
            "'since' is no point in time: send RFC 3339 with its zone (2026-11-30T19:05:00Z), seconds or milliseconds "
            "since 1970, HH:MM:SS since the broadcast began, or how long ago (20m)."
        )
    return _POSITIONS[since.kind](stream, since)


def _position_of_instant(stream: StreamRecord, since: Since) -> float:
    if since.seconds > time.time() + CLOCKS_DIFFER_S:
        raise InvalidRequest("'since' lies in the future: nothing was said since then.")
    timeline = stream.timeline
    # When chunks came is known of each stream; what their own clock says, only of those that have one.
    is_told = timeline.clock is Clock.WALL and timeline.zero is not None and not timeline.has_jumped
    return since.seconds - (timeline.zero if is_told and timeline.zero is not None else timeline.zero_arrival)


def _position_of_offset(stream: StreamRecord, since: Since) -> float:
    timeline = stream.timeline
    if timeline.clock is not Clock.OFFSET or timeline.zero is None or timeline.has_jumped:
        raise StreamStartUnknown(
            "When the broadcast began is not known, so 'since' cannot count from there: send an instant, or how long "
            "ago (20m)."
        )
    position_s = since.seconds - timeline.zero
    if position_s > stream.end_s + CLOCKS_DIFFER_S:
        raise InvalidRequest("'since' lies in the future: the broadcast is not there yet.")
    return position_s


def _position_back(stream: StreamRecord, since: Since) -> float:
    return stream.end_s - since.seconds


_POSITIONS: dict[SinceKind, Callable[[StreamRecord, Since], float]] = {
    SinceKind.INSTANT: _position_of_instant,
    SinceKind.OFFSET: _position_of_offset,
    SinceKind.AGO: _position_back,
}
