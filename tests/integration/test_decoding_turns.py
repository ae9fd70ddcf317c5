"""Few recordings lie decoded at once: decided by the rows, whoever asks and whoever dies."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from streametrics.database.backlog import BacklogReader
from streametrics.database.checkpoints import Checkpoints
from streametrics.database.claims import Claims
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases
from streametrics.domain.job import Claim, JobKind, JobRequest, QueueName, Stage
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, merge_transcripts
from streametrics.errors import AudioUnreadable
from tests.support.stack import database

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")
MOST = 2
LIMIT = 100


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    with database(tmp_path) as url, contextlib.closing(Database(url)) as made:
        yield made


class Recordings:
    """Recordings that are accepted, claimed, decoded and transcribed by one worker after the other."""

    def __init__(self, opened: Database, *, lease_s: float = 10.0) -> None:
        self.opened = opened
        self.claims = Claims(opened, lease_s=lease_s, deadline_s=600.0, most_decoded=MOST)
        self.backlog = BacklogReader(opened, most_decoded=MOST)
        self.leases = Leases(opened, lease_s=lease_s)
        self.checkpoints = Checkpoints(opened)

    def accept(self, *names: str, kind: JobKind = JobKind.LONG) -> None:
        for name in names:
            JobRecords(self.opened).insert(
                name, REQUEST, owner="local", kind=kind, audio_key=f"key of {name}", container="flac"
            )

    def claim(self, name: str) -> Claim | None:
        return next(iter(self.claims.claim_together(name, Stage.TRANSCRIBE, "w", most=1)), None)

    def claimed(self, name: str) -> Claim:
        claim = self.claim(name)
        assert claim is not None
        return claim

    def decode(self, name: str) -> None:
        spans = [TimeSpan(0.0, 60.0)]
        self.checkpoints.store_parts(self.claimed(name), audio_key="pcm", audio_s=60.0, spans=spans, warnings=())

    def transcribe(self, name: str) -> None:
        assert self.checkpoints.store_part(self.claimed(name), WORDS, merge_transcripts) is not None

    def put_back(self, claim: Claim, *, most_tries: int = 3) -> bool:
        return self.leases.put_back(claim, after_s=0.0, most_tries=most_tries)

    def to_send(self) -> list[str]:
        """The recordings for which recovery would send a message, were there none."""
        found = self.backlog.overdue(QueueName.LONG, -1.0, LIMIT)
        count = self.backlog.by_queue()[QueueName.LONG].count - self.backlog.held_back()
        assert count == len(found), "as many are missing as can be sent"
        return [message.task_id for message in found]


def test_of_twelve_recordings_two_lie_decoded_and_the_next_begins_when_one_is_transcribed(opened: Database) -> None:
    recordings = Recordings(opened)
    names = [f"r{number:02}" for number in range(12)]
    recordings.accept(*names)
    recordings.decode("r00")
    recordings.decode("r01")

    # Expect all others to wait, though a worker is there for each, and what is decoded to go on
    assert [name for name in names[2:] if recordings.claim(name)] == []
    assert recordings.to_send() == ["r00", "r01"]
    assert recordings.backlog.by_queue()[QueueName.LONG].count == 12

    recordings.transcribe("r00")
    assert recordings.to_send() == ["r02", "r01"]
    assert recordings.claim("r02") is not None
    assert recordings.claim("r03") is None


def test_a_recording_that_is_being_decoded_counts_and_one_whose_decoder_died_does_not(opened: Database) -> None:
    recordings = Recordings(opened, lease_s=0.0)
    recordings.accept("a", "b", "c")
    assert recordings.claim("a") and recordings.claim("b")
    assert recordings.claim("c") is None

    for expired in recordings.leases.expired():
        assert recordings.leases.free(expired)

    assert recordings.to_send() == ["a", "b"]
    assert recordings.claim("c") is not None


def test_a_recording_that_fails_frees_its_turn(opened: Database) -> None:
    recordings = Recordings(opened)
    recordings.accept("a", "b", "c")
    failing = recordings.claimed("a")
    recordings.decode("b")

    recordings.checkpoints.fail("a", AudioUnreadable(), failing)

    assert recordings.claim("c") is not None


def test_chunks_need_no_turn(opened: Database) -> None:
    recordings = Recordings(opened)
    recordings.accept("a", "b", "c")
    recordings.accept("chunk", kind=JobKind.LIVE)
    recordings.decode("a")
    recordings.decode("b")

    assert recordings.claim("chunk") is not None
    assert recordings.backlog.held_back() == 1


def test_what_found_no_room_waits_until_nothing_is_decoded_and_newer_ones_wait_for_it(opened: Database) -> None:
    recordings = Recordings(opened)
    recordings.accept("a", "b", "c")
    recordings.decode("a")

    assert recordings.put_back(recordings.claimed("b"))

    # Expect nobody to begin: what frees room is the end of the first
    assert recordings.claim("b") is None
    assert recordings.claim("c") is None
    assert recordings.to_send() == ["a"]
    recordings.transcribe("a")
    assert recordings.to_send() == ["b"]
    assert recordings.claim("c") is None
    recordings.decode("b")
    assert recordings.claim("c") is not None


def test_what_was_tried_before_and_is_released_did_not_lack_room(opened: Database) -> None:
    recordings = Recordings(opened, lease_s=-1.0)
    recordings.accept("a", "b", "c")
    recordings.claimed("b")
    (dead,) = recordings.leases.expired()
    assert recordings.leases.free(dead)
    recordings.decode("a")

    # When the next worker is stopped
    assert recordings.leases.release(recordings.claimed("b"))

    # Expect it to hold up nobody
    assert recordings.to_send() == ["b", "a"]
    assert recordings.claim("c") is not None


def test_what_found_no_room_too_often_is_not_put_back(opened: Database) -> None:
    recordings = Recordings(opened)
    recordings.accept("a")

    assert [recordings.put_back(recordings.claimed("a")) for _ in range(2)] == [True, True]
    last = recordings.claimed("a")
    assert not recordings.put_back(last)

    # Expect it to be still ours, to be failed
    ended = recordings.checkpoints.fail("a", AudioUnreadable(), last)
    assert ended is not None and ended.audio_key == "key of a"


def test_what_is_put_back_for_later_holds_up_nobody_before(opened: Database) -> None:
    recordings = Recordings(opened)
    recordings.accept("a", "b")
    assert recordings.leases.put_back(recordings.claimed("a"), after_s=30.0, most_tries=3)

    assert recordings.claim("a") is None
    assert recordings.claim("b") is not None
    with opened.write() as connection:
        connection.execute(text("UPDATE jobs SET not_before = not_before - 31"))
    assert recordings.claim("a") is None, "another one is being decoded"


def test_workers_that_ask_at_once_get_no_more_than_there_are_turns(opened: Database) -> None:
    recordings = Recordings(opened)
    names = [f"r{number}" for number in range(8)]
    recordings.accept(*names)

    with ThreadPoolExecutor(8) as workers:
        claims = list(workers.map(recordings.claim, names))

    assert len([claim for claim in claims if claim is not None]) == MOST
