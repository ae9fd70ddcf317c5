"""Polls while the database is away: what was told last, else that the job is in work, and never an error."""

import asyncio
import json
from typing import Any

import pytest

from streametrics.auth.principal import Principal, Scope
from streametrics.errors import DatabaseUnavailable, JobUnknown
from streametrics.status.outage import BELIEVED_S
from tests.unit.status.test_reader import TTL_S, Desk


class Outage(Desk):
    """A desk whose row can become unreadable."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        read = self.jobs.row_and_status

        def row_and_status(*arguments: Any, **options: Any) -> Any:
            if self.away:
                raise DatabaseUnavailable
            return read(*arguments, **options)

        self.jobs.row_and_status = row_and_status  # type: ignore[method-assign]

    def poll(self, task_id: str = "job", **principal: Principal) -> tuple[int, dict[str, Any]]:
        answer = asyncio.run(self.status_reader.answer(task_id, **principal))
        return answer.http_status, json.loads(answer.body)

    def leave(self) -> None:
        """Let the database go away, after all that is cached is too old."""
        self.away = True
        self.now += 1000


def test_a_job_in_work_goes_on_as_it_was_told_last_with_a_warning() -> None:
    desk = Outage()
    _, last = desk.poll()
    desk.leave()
    for _ in range(2):
        status, body = desk.poll()
        assert (status, body) == (200, {**last, "warnings": body["warnings"]})
        assert [warning["code"] for warning in body["warnings"]] == ["database_unavailable"]
        desk.now += BELIEVED_S


def test_a_finished_job_stays_as_it_is_until_its_result_expires() -> None:
    desk = Outage()
    desk.row.final_age_s = 0
    _, last = desk.poll()
    desk.leave()
    assert desk.poll() == (200, last)
    # When its words would have been erased
    desk.now += TTL_S
    _, body = desk.poll()
    assert "result" not in body


def test_a_job_that_is_not_known_here_is_believed_for_a_minute() -> None:
    desk = Outage()
    desk.leave()
    status, first = desk.poll("unknown")
    assert (status, first["status"], first["progress"]) == (200, "processing", 0)
    desk.now += BELIEVED_S - 0.1
    assert desk.poll("unknown") == (200, first)
    desk.now += 0.1
    status, later = desk.poll("unknown")
    assert (status, later["status"], later["code"]) == (503, "processing", "database_unavailable")
    # And for another minute after the database was there in between
    desk.away = False
    desk.poll()
    desk.leave()
    assert desk.poll("unknown") == (200, first)


def test_nothing_is_told_of_a_job_to_who_may_not_see_it() -> None:
    desk = Outage()
    desk.poll()
    desk.leave()
    with pytest.raises(JobUnknown):
        desk.poll(principal=Principal("another", Scope.READ))


@pytest.mark.parametrize("task_ids", [["job"], None])
def test_what_was_erased_is_not_told_again(task_ids: list[str] | None) -> None:
    desk = Outage()
    _, last = desk.poll()
    desk.status_reader.forget(task_ids)
    desk.leave()
    _, body = desk.poll()
    assert body["status"] == "processing"
    assert (last["transcription"], body["transcription"]) == ("0", None)
