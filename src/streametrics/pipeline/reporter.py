"""The contract of what a job's progress is reported to."""

from typing import Protocol


class JobReporter(Protocol):
    """Hears how far the work is. Every method may raise to stop it: Interrupted, TimedOut or StaleAttempt."""

    def check(self) -> None:
        """Called often, while there is nothing to tell."""
        ...

    def transcribed(self, position_s: float, length_s: float, text: str) -> None:
        """The sound is transcribed up to `position_s` of `length_s`; `text` is all of it so far."""
        ...

    def written(self, share: float, text: str) -> None:
        """A share (0…1) of the summary is written; `text` is the summary so far."""
        ...
