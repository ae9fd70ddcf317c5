"""Transcripts: segments with times, and how those of a recording's parts become one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streametrics.domain.job import Warn

#: How each reason to leave words out of a transcript is told.
_FILTER_REASON_TEXTS = {
    "nobody": "where nobody speaks",
    "guess": "only guessed, with hardly a voice to be heard",
    "loop": "repeated in a loop",
}


def words_filtered(left_out: Mapping[str, int]) -> tuple[Warn, ...]:
    """Tells of words that were left out of a transcript, given as their number by reason; nothing where none was."""
    total = sum(left_out.values())
    if total == 0:
        return ()
    reasons = ", ".join(f"{words} {_FILTER_REASON_TEXTS[reason]}" for reason, words in left_out.items() if words)
    subject = "1 word was" if total == 1 else f"{total} words were"
    return (Warn("words_filtered", f"{subject} left out as invented: {reasons}."),)


def transcript_text(transcript: dict[str, Any]) -> str:
    """All words of a stored transcript in one line."""
    return " ".join(segment["text"] for segment in transcript["segments"] if segment["text"])


@dataclass(frozen=True, slots=True)
class TimedText:
    """A stretch of the transcript: start and end in seconds from the beginning of the recording."""

    start: float
    end: float
    text: str


#: Start and end in seconds from the beginning of the recording.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class DecodingStatistics:
    """Statistics of the decoding that a segment comes from; its segments share them.

    average_logprob: mean natural logarithm of the tokens' probabilities. no_speech: probability (0…1) that nobody
    speaks. compression_ratio: of the whole text; a loop compresses well. ended: whether the model said by itself that
    all was said; None where the engine does not tell.
    """

    average_logprob: float
    no_speech: float
    compression_ratio: float
    temperature: float
    ended: bool | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech: start and end in seconds from the beginning of the samples, text stripped.

    statistics: of the decoding; only the hallucination filter needs them.
    """

    start: float
    end: float
    text: str
    statistics: DecodingStatistics | None = field(default=None, compare=False, repr=False)


class FilterReason(StrEnum):
    """Why the hallucination filter removed words."""

    NOBODY = "nobody"  #: the voice detector found nobody where they are said
    GUESS = "guess"  #: the engine was not sure of them, and there is hardly a voice
    LOOP = "loop"  #: the engine repeated itself without end


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript. `language` is a Whisper code such as `en`, or None where nothing was said.

    left_out: how many words were removed as hallucinated, by reason.
    """

    segments: tuple[Segment, ...]
    language: str | None
    left_out: Mapping[FilterReason, int] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        """All segments in one line; empty for silence."""
        return " ".join(segment.text for segment in self.segments if segment.text)


def merge_transcripts(pieces: list[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    """One transcript out of those of the parts, given as (start in seconds, transcript).

    Its language is the one in which most of the time is spoken.
    """
    segments: list[dict[str, Any]] = []
    seconds_by_language: dict[str, float] = {}
    for start_s, piece in pieces:
        for segment in piece["segments"]:
            moved = {
                "start": round(segment["start"] + start_s, 3),
                "end": round(segment["end"] + start_s, 3),
                "text": segment["text"],
            }
            segments.append(moved)
            if piece["language"]:
                spoken_s = segment["end"] - segment["start"]
                seconds_by_language[piece["language"]] = seconds_by_language.get(piece["language"], 0.0) + spoken_s
    language = max(seconds_by_language, key=lambda code: seconds_by_language[code], default=None)
    left_out = sum((Counter(piece.get("left_out", {})) for _, piece in pieces), Counter[str]())
    return {"language": language, "segments": segments} | ({"left_out": dict(left_out)} if left_out else {})


def up_to_a_gap(
    finished: Iterable[tuple[float, float, dict[str, Any]]], *, from_s: float = 0.0
) -> Iterator[tuple[float, float, dict[str, Any]]]:
    """Those of a recording's finished parts that follow each other from `from_s` on; each is start, end, transcript."""
    reached_s = from_s
    for part in finished:
        if part[0] != reached_s:
            return
        yield part
        reached_s = part[1]
