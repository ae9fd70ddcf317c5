"""Transcripts: segments with times, how those of a recording's parts become one, and their form in the database.

A stored transcript is read by workers of the version before and after: keys stay, and unknown ones are passed over.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, NotRequired, Self, TypedDict

#: What Whisper makes of speech: its words, or the same in English.
SpeechTask = Literal["transcribe", "translate"]


class TimedTextJson(TypedDict):
    """A segment or a note as the database and the status JSON have it: times in seconds."""

    start: float
    end: float
    text: str


class SegmentJson(TimedTextJson):
    """A segment as the database has it: words as [start, end, text], and the language, where an engine gave them."""

    words: NotRequired[list[tuple[float, float, str]]]
    language: NotRequired[str]


class TranscriptJson(TypedDict):
    """A transcript as the database has it; `left_out` and `unheard`, as [start, end], only where there is any."""

    language: str | None
    segments: list[SegmentJson]
    left_out: NotRequired[dict[str, int]]
    unheard: NotRequired[list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A stretch of a recording, in seconds from its beginning."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class DecodingStatistics:
    """Statistics of the decoding that a segment comes from; its segments share them, but for `segment_logprob`.

    average_logprob: mean natural logarithm of the tokens' probabilities. no_speech: probability (0…1) that nobody
    speaks. compression_ratio: of the whole text; a loop compresses well. ended: whether the model said by itself that
    all was said; None where the engine does not tell. segment_logprob: the mean of the
    segment itself, None likewise.
    """

    average_logprob: float
    no_speech: float
    compression_ratio: float
    temperature: float
    ended: bool | None = None
    segment_logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it was said: start and end in seconds, on the clock of its segment.

    text: with the space before it, where its script has one, and its punctuation: the texts of a segment's words,
    joined and stripped, are the segment's text.
    """

    start: float
    end: float
    text: str

    def moved(self, by_s: float) -> Self:
        """Return the word so many seconds later."""
        return replace(self, start=round(self.start + by_s, 3), end=round(self.end + by_s, 3))


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech: start and end in seconds, from the beginning of what was transcribed; text stripped.

    statistics: what an engine says of its own answer; they are not stored. words: in order; empty where the engine
    tells no times of words. language: a Whisper code, None where it is not known.
    """

    start: float
    end: float
    text: str
    statistics: DecodingStatistics | None = field(default=None, compare=False, repr=False)
    words: tuple[Word, ...] = field(default=(), compare=False, repr=False)
    language: str | None = field(default=None, compare=False)

    def moved(self, by_s: float) -> Self:
        """Return the segment and its words so many seconds later."""
        start, end = round(self.start + by_s, 3), round(self.end + by_s, 3)
        return replace(self, start=start, end=end, words=tuple(word.moved(by_s) for word in self.words))

    def to_json(self) -> TimedTextJson:
        return {"start": round(self.start, 3), "end": round(self.end, 3), "text": self.text}

    def to_stored_json(self) -> SegmentJson:
        stored = SegmentJson(start=round(self.start, 3), end=round(self.end, 3), text=self.text)
        if self.words:
            stored["words"] = [(round(word.start, 3), round(word.end, 3), word.text) for word in self.words]
        if self.language:
            stored["language"] = self.language
        return stored

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a stored segment. Raises ValueError, which does not repeat what was said."""
        match value:
            case {"start": float() | int() as start, "end": float() | int() as end, "text": str() as text, **others}:
                language = others.get("language")
                if language is None or isinstance(language, str):
                    return cls(start, end, text, words=_words(others.get("words", [])), language=language)
        raise ValueError("a stored segment has no 'start', 'end' and 'text', or a 'language' that is no text")


def _words(value: object) -> tuple[Word, ...]:
    words: list[Word] = []
    for stored in value if isinstance(value, list) else [value]:
        match stored:
            case [float() | int() as start, float() | int() as end, str() as text]:
                words.append(Word(start, end, text))
            case _:
                raise ValueError("a stored segment's 'words' are no list of start, end and text")
    return tuple(words)


class FilterReason(StrEnum):
    """Why the hallucination filter removed words."""

    NOBODY = "nobody"  #: the voice detector found nobody where they are said
    GUESS = "guess"  #: the engine was not sure of them, and there is hardly a voice
    LOOP = "loop"  #: the engine repeated itself without end


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript. `language` is a Whisper code such as `en`, or None where nothing was said.

    left_out: how many words were removed as hallucinated, by reason. unheard: where somebody speaks and no words were
    found.
    """

    segments: tuple[Segment, ...]
    language: str | None
    left_out: Mapping[FilterReason, int] = field(default_factory=dict, compare=False)
    unheard: tuple[TimeSpan, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """All segments in one line; empty for silence."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    def to_json(self) -> TranscriptJson:
        stored = TranscriptJson(
            language=self.language, segments=[segment.to_stored_json() for segment in self.segments]
        )
        if self.left_out:
            stored["left_out"] = {reason.value: words for reason, words in self.left_out.items()}
        if self.unheard:
            stored["unheard"] = [(round(span.start_s, 3), round(span.end_s, 3)) for span in self.unheard]
        return stored

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a stored transcript. Raises ValueError, which does not repeat what was said."""
        match value:
            case {"segments": list() as segments, "language": str() | None as language, **others}:
                left_out, unheard = _left_out(others.get("left_out", {})), _spans(others.get("unheard", []))
                return cls(tuple(map(Segment.from_json, segments)), language, left_out, unheard)
        raise ValueError("a stored transcript has no 'language' and 'segments'")


def _left_out(value: object) -> dict[FilterReason, int]:
    if not isinstance(value, dict) or not all(isinstance(words, int) for words in value.values()):
        raise ValueError("a stored transcript's 'left_out' is no object of numbers")
    known = {reason.value: reason for reason in FilterReason}
    return {known[reason]: words for reason, words in value.items() if reason in known}


def _spans(value: object) -> tuple[TimeSpan, ...]:
    spans: list[TimeSpan] = []
    for stored in value if isinstance(value, list) else [value]:
        match stored:
            case [float() | int() as start, float() | int() as end]:
                spans.append(TimeSpan(start, end))
            case _:
                raise ValueError("a stored transcript's 'unheard' is no list of start and end")
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class TranscriptPart:
    """A part of a recording, in seconds of it, and its transcript, whose times count from the part's start."""

    start_s: float
    end_s: float
    transcript: Transcript


def merge_transcripts(parts: Iterable[TranscriptPart]) -> Transcript:
    """Join the transcripts of a recording's parts, given in its order, on the recording's own clock.

    The language is the one in which most of the time is spoken.
    """
    segments: list[Segment] = []
    seconds_by_language: dict[str, float] = {}
    left_out: Counter[FilterReason] = Counter()
    unheard: list[TimeSpan] = []
    for part in parts:
        for segment in part.transcript.segments:
            segments.append(segment.moved(part.start_s))
            language = segment.language or part.transcript.language
            if language:
                spoken_s = segment.end - segment.start
                seconds_by_language[language] = seconds_by_language.get(language, 0.0) + spoken_s
        left_out.update(part.transcript.left_out)
        unheard += [
            TimeSpan(round(span.start_s + part.start_s, 3), round(span.end_s + part.start_s, 3))
            for span in part.transcript.unheard
        ]
    language = max(seconds_by_language, key=lambda code: seconds_by_language[code], default=None)
    return Transcript(tuple(segments), language, dict(+left_out), tuple(unheard))


def up_to_a_gap(finished: Iterable[TranscriptPart], *, from_s: float = 0.0) -> Iterator[TranscriptPart]:
    """Yield those of a recording's finished parts that follow each other from `from_s` on."""
    reached_s = from_s
    for part in finished:
        if part.start_s != reached_s:
            return
        yield part
        reached_s = part.end_s


@dataclass(frozen=True, slots=True)
class Note:
    """What is written about a stretch of a long recording, before its summary is."""

    span: TimeSpan
    text: str

    def to_json(self) -> TimedTextJson:
        return {"start": self.span.start_s, "end": self.span.end_s, "text": self.text}
