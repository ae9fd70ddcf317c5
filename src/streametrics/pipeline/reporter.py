"""Defines what a job's progress is reported to."""

from typing import Protocol


class JobReporter(Protocol):
    """Takes reports of progress. Every method may raise to stop the work: Interrupted, TimedOut or StaleAttempt."""

    def check(self) -> None:
        """Raise when the work should stop; called often, while there is nothing to report."""
        ...

    def transcribed(self, position_s: float, length_s: float, text: str) -> None:
        """Report that the sound is transcribed up to `position_s` of `length_s`; `text` is all of it so far."""
        ...

    def written(self, share: float, text: str) -> None:
        """Report that a share (0…1) of the summary is written; `text` is the summary so far."""
        ...
