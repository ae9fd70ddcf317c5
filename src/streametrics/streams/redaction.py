"""Leaves out of a stream what was forgotten: the words that were said in a stretch of it, and no others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from streametrics.domain.transcript import Segment, TimeSpan, Word
from streametrics.streams.chunks import JoiningChunk, StreamSegment, length_of_all
from streametrics.streams.coverage import ChunkState
from streametrics.streams.hidden_words import Phrase, hide
from streametrics.streams.search_terms import words_of


def merged(spans: Iterable[TimeSpan]) -> tuple[TimeSpan, ...]:
    """Join spans that touch; in order."""
    joined: list[TimeSpan] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            joined[-1] = TimeSpan(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    return tuple(joined)


def meets(spans: Sequence[TimeSpan], start_s: float, end_s: float) -> bool:
    """Tell whether a stretch has something in common with one of the spans; one without a length, if it lies there."""
    return any(start_s < span.end_s and (end_s > span.start_s or start_s >= span.start_s) for span in spans)


def lies_in(spans: Sequence[TimeSpan], start_s: float, end_s: float) -> bool:
    """Tell whether a stretch lies in one of the spans as a whole."""
    return any(span.start_s <= start_s and end_s <= span.end_s for span in spans)


def remains(segment: Segment, spans: Sequence[TimeSpan]) -> list[Segment]:
    """List what is left of a segment without what was said in these spans: itself, pieces of it, or nothing.

    Words before and behind a span are two segments: what was not said in one breath is not quoted so. A segment
    without the times of its words goes as a whole.
    """
    if not segment.words:
        return [] if meets(spans, segment.start, segment.end) else [segment]
    if not any(meets(spans, word.start, word.end) for word in segment.words):
        return [segment]
    pieces: list[list[Word]] = [[]]
    for word in segment.words:
        if meets(spans, word.start, word.end):
            pieces.append([])
        else:
            pieces[-1].append(word)
    return [piece for words in pieces if words and (piece := _piece(segment, words)).text]


def _piece(segment: Segment, words: list[Word]) -> Segment:
    start_s, end_s = min(word.start for word in words), max(word.end for word in words)
    text = "".join(word.text for word in words).strip()
    return replace(segment, start=start_s, end=end_s, text=text, words=tuple(words))


def without_forgotten(chunk: JoiningChunk, spans: Sequence[TimeSpan]) -> JoiningChunk:
    """Return a chunk that joins, without what its streamer has said to forget."""
    is_met = meets(spans, chunk.start_s, chunk.end_s)
    left = [piece for each in chunk.segments for piece in remains(each.segment, spans)]
    is_changed = left != [each.segment for each in chunk.segments]
    if not is_changed and not (is_met and not chunk.segments):
        return chunk
    spoken_s = length_of_all((segment.start, segment.end) for segment in left)
    return replace(
        chunk,
        state=ChunkState.FORGOTTEN if lies_in(spans, chunk.start_s, chunk.end_s) else chunk.state,
        segments=tuple(StreamSegment(segment, tuple(words_of(segment.text))) for segment in left),
        speech_s=spoken_s,
        transcribed_s=spoken_s,
        summary=None,  # which cannot be cut
        erases_job=True,
    )


def with_hidden(chunk: JoiningChunk, phrases: Sequence[Phrase]) -> JoiningChunk:
    """Return a chunk that joins, with its streamer's hidden words masked."""
    if not phrases:
        return chunk
    left = (hide(each.segment, phrases) for each in chunk.segments)
    return replace(chunk, segments=tuple(StreamSegment(segment, tuple(words_of(segment.text))) for segment in left))
