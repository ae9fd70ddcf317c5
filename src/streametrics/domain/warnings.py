"""Warnings that a transcript gives rise to."""

from collections.abc import Mapping

from streametrics.domain.job import Warn
from streametrics.domain.transcript import FilterReason

#: How each reason to leave words out of a transcript is told.
_WHY_LEFT_OUT = {
    FilterReason.NOBODY: "where nobody speaks",
    FilterReason.GUESS: "only guessed, with hardly a voice to be heard",
    FilterReason.LOOP: "repeated in a loop",
}


def words_filtered(left_out: Mapping[FilterReason, int]) -> tuple[Warn, ...]:
    """Tell of words that were left out of a transcript, given as their number by reason; nothing where none was."""
    total = sum(left_out.values())
    if total == 0:
        return ()
    reasons = ", ".join(f"{words} {_WHY_LEFT_OUT[reason]}" for reason, words in left_out.items() if words)
    subject = "1 word was" if total == 1 else f"{total} words were"
    return (Warn("words_filtered", f"{subject} left out as invented: {reasons}."),)
