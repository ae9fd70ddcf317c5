"""Tells how far a job is, across the parts that are transcribed at the same time."""

from contextlib import suppress

from streametrics.domain.job import Claim
from streametrics.domain.transcript import up_to_a_gap
from streametrics.errors import DatabaseUnavailable
from streametrics.jobs.service import Jobs


class OtherParts:
    """Read again whenever something is told, as other parts are heard at the same time; of an upload in one piece there
    are none.

    done_s: seconds of sound in the parts that are done. text: the words up to the first gap. fills_the_gap: whether the
    words of this claim's part come right behind them.
    """

    def __init__(self, jobs: Jobs, claim: Claim) -> None:
        self._jobs, self._claim = jobs, claim
        self._reached_s = 0.0
        self.done_s, self.text = 0.0, ""

    @property
    def fills_the_gap(self) -> bool:
        return self._claim.part_index is None or self._claim.start_s == self._reached_s

    def look(self) -> None:
        """Read what has been heard since. A database that does not answer leaves things as they are."""
        if self._claim.part_index is None:
            return
        with suppress(DatabaseUnavailable):
            finished = self._jobs.finished_parts(self._claim.task_id, from_s=self._reached_s)
            following = list(up_to_a_gap(finished, from_s=self._reached_s))
            for part in following:
                self._reached_s = part.end_s
                self.text = " ".join(filter(None, (self.text, part.transcript.text)))
            self.done_s = self._reached_s + sum(part.end_s - part.start_s for part in finished[len(following) :])
