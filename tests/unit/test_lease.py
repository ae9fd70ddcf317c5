"""What a worker tells of a summary while it is written."""

import threading
from typing import Any, cast

from streametrics.job import Claim, JobKind, JobRequest, Snapshot, Stage
from streametrics.jobs import Jobs
from streametrics.lease import Lease

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
CLAIM = Claim("id", Stage.SUMMARIZE, 1, 1, "w", REQUEST, JobKind.LIVE, time_left_s=60)


class Heard:
    """Hears what is published, and nothing else of a job."""

    def __init__(self) -> None:
        self.published: list[Snapshot] = []

    def publish(self, claim: Claim, snapshot: Snapshot) -> None:
        self.published.append(snapshot)


def lease(jobs: Any) -> Lease:
    return Lease(cast(Jobs, jobs), CLAIM, stopping=threading.Event())


def test_the_first_words_of_a_summary_are_shown_at_once() -> None:
    heard = Heard()
    reporter = lease(heard)
    reporter.begin()
    # Given a share that is told, and words that follow within the second in which nothing more is told
    reporter.written(0.1, "")
    reporter.written(0.2, "Ada")
    reporter.written(0.3, "Ada beats")
    # Expect the first of them to be shown all the same, and no empty text before
    assert [snapshot.partial_summary for snapshot in heard.published] == [None, None, "Ada"]


def test_the_time_left_is_not_guessed_from_the_first_token() -> None:
    heard = Heard()
    reporter = lease(heard)
    reporter.written(0.01, "Ada")
    assert heard.published[-1].eta_s is None
    later = lease(heard)
    later.written(0.5, "Ada beats")
    assert heard.published[-1].eta_s is not None
