"""Warnings that a transcript gives rise to."""

from collections.abc import Mapping, Sequence

from streametrics.domain.job import Warn
from streametrics.domain.transcript import FilterReason, TimeSpan, Transcript

#: How each reason to leave words out of a transcript is told.
_WHY_LEFT_OUT = {
    FilterReason.NOBODY: "where nobody speaks",
    FilterReason.GUESS: "only guessed, with hardly a voice to be heard",
    FilterReason.LOOP: "repeated in a loop",
}

CLOSED_GAPS = Warn(
    "gaps_closed",
    "The file's time stamps jump back, or by more than ten minutes: the gap was closed, so later times are not those "
    "of a player.",
)
TWO_PROGRAMS = Warn(
    "channel_left_out",
    "Different people speak at the same time on the left and on the right channel: the left one was transcribed.",
)

PAUSED = Warn(
    "paused", "This streamer's stream is paused: nobody listened to this chunk, and its sound was deleted at once."
)

#: So many positions, and sound tracks, are named in a warning, which people read.
MAX_NAMED_SPANS, MAX_NAMED_TRACKS = 5, 10


def transcript_warnings(transcript: Transcript) -> tuple[Warn, ...]:
    """Return every warning that a transcript gives rise to."""
    return words_filtered(transcript.left_out) + speech_unheard(transcript.unheard)


def words_filtered(left_out: Mapping[FilterReason, int]) -> tuple[Warn, ...]:
    """Tell of words that were left out of a transcript, given as their number by reason; nothing where none was."""
    total = sum(left_out.values())
    if total == 0:
        return ()
    reasons = ", ".join(f"{words} {_WHY_LEFT_OUT[reason]}" for reason, words in left_out.items() if words)
    subject = "1 word was" if total == 1 else f"{total} words were"
    return (Warn("words_filtered", f"{subject} left out as invented: {reasons}."),)


def speech_unheard(spans: Sequence[TimeSpan]) -> tuple[Warn, ...]:
    """Tell of stretches in which somebody speaks and no words were found; nothing where there is none."""
    if not spans:
        return ()
    total_s = sum(span.end_s - span.start_s for span in spans)
    where = ", ".join(f"{_clock(span.start_s)} to {_clock(span.end_s)}" for span in spans[:MAX_NAMED_SPANS])
    more = len(spans) - MAX_NAMED_SPANS
    others = f" and in {more} more places" if more > 1 else " and in 1 more place" if more == 1 else ""
    return (
        Warn("speech_unheard", f"Somebody speaks for {total_s:.1f} s in which no words were found: {where}{others}."),
    )


def tracks_left_out(
    taken: Sequence[int], left_out: Sequence[str], total: int, *, mixed: bool = False
) -> tuple[Warn, ...]:
    """Tell of sound tracks that were not transcribed: their descriptions; nothing where each was.

    taken: the numbers of those that were, at least one; of several each for a while, or all of them `mixed`.
    """
    if not left_out and (len(taken) < 2 or mixed):
        return ()
    if len(taken) == 1:
        what = f"track {taken[0]} was transcribed"
    elif mixed:
        what = f"{len(taken)} were mixed and transcribed"
    else:
        numbers = " or ".join(map(str, taken))
        what = f"one track was transcribed at a time ({numbers}), wherever somebody speaks"
    named = [f"track {track}" for track in left_out[:MAX_NAMED_TRACKS]]
    named += [f"{len(left_out) - len(named)} more"] if len(left_out) > len(named) else []
    others = f" Left out: {', '.join(named)}." if named else ""
    text = f"Of {total} sound tracks, {what}.{others} Another one can be asked for by its number."
    return (Warn("tracks_left_out", text),)


def _clock(seconds: float) -> str:
    """Write a position as a player shows it, with tenths: `0:07.3`, `1:02:03.0`."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"
