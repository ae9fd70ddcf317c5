"""Many clients at once while the queue or the database does not answer: each is answered in time, and none gives up."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text

from streametrics.database.engine import Database, open_engine
from streametrics.database.timeouts import ANSWERING, MIGRATING
from tests.support.media import encode, tone
from tests.support.proxy import Proxy, proxy
from tests.support.stack import Stack, until

pytestmark = pytest.mark.alone

CLIENTS = 80
UPLOAD_S, POLL_S = 5.0, 3.0
SOUND = encode(tone(1.0, 16_000), "wav")


@dataclass
class Answers:
    """What every client got: HTTP status, body, and seconds."""

    uploads: list[tuple[int, dict[str, Any], float]] = field(default_factory=list)
    polls: list[tuple[int, dict[str, Any], float]] = field(default_factory=list)


def at_once(stack: Stack, task_id: str) -> Answers:
    """Let so many upload, and as many poll this job, all at the same time."""
    answers, start = Answers(), threading.Barrier(2 * CLIENTS)

    def client(into: list[tuple[int, dict[str, Any], float]], ask: Callable[[], requests.Response]) -> None:
        start.wait()
        began = time.monotonic()
        response = ask()
        into.append((response.status_code, response.json(), time.monotonic() - began))

    def poll() -> requests.Response:
        return requests.get(f"{stack.url}/summarize/status/{task_id}", timeout=60)

    threads = [threading.Thread(target=client, args=(answers.polls, poll)) for _ in range(CLIENTS)]
    threads += [
        threading.Thread(target=client, args=(answers.uploads, lambda: stack.post(SOUND))) for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers.uploads) == len(answers.polls) == CLIENTS
    return answers


def expect_in_time(answers: Answers, code: str) -> None:
    """Expect every upload refused with this code, every poll answered, and each of them in time."""
    assert {(status, body["code"]) for status, body, _ in answers.uploads} == {(503, code)}
    assert max(seconds for *_, seconds in answers.uploads) <= UPLOAD_S
    assert {status for status, *_ in answers.polls} == {200}
    assert max(seconds for *_, seconds in answers.polls) <= POLL_S


def readiness(stack: Stack) -> requests.Response:
    return requests.get(f"{stack.url}/health/ready", timeout=30)


def told_of(stack: Stack, name: str, *, ok: bool) -> dict[str, Any]:
    """A readiness check once it says this: one answer counts for a second."""

    def look() -> dict[str, Any] | None:
        check: dict[str, Any] = readiness(stack).json()["checks"][name]
        return check if check["ok"] is ok else None

    return until(look, within_s=10, what=f"{name} is {'well' if ok else 'amiss'}")


@pytest.fixture
def queue_proxy(fresh: Stack) -> Iterator[Proxy]:
    with proxy(fresh.redis_url) as made:
        fresh.redis_url = made.url
        yield made


def test_a_queue_that_hangs_refuses_uploads_and_leaves_nothing(fresh: Stack, queue_proxy: Proxy) -> None:
    fresh.start_api()
    task_id = fresh.submit(SOUND)
    assert fresh.status(task_id)["status"] == "pending"
    stored = len(fresh.audio_files)
    # When nothing comes through to it any more
    queue_proxy.block()
    expect_in_time(at_once(fresh, task_id), "queue_unavailable")
    # Expect nothing of those uploads
    assert len(fresh.audio_files) == stored
    assert count_jobs(fresh) == 1
    # And work as soon as it answers
    queue_proxy.unblock()
    until(lambda: fresh.post(SOUND).ok, within_s=10, what="an upload is accepted")


def count_jobs(stack: Stack) -> int:
    engine = open_engine(stack.database_url)
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM jobs")).scalar_one()
    engine.dispose()
    return int(count)


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the lock that every writer needs."""
    engine = open_engine(url, MIGRATING)
    with engine.begin() as connection:  # which is SQLite's lock already
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        yield
    engine.dispose()


def test_a_locked_database_refuses_uploads_in_time(fresh: Stack) -> None:
    fresh.start_api()
    task_id = fresh.submit(SOUND)
    assert fresh.status(task_id)["status"] == "pending"
    with locked(fresh.database_url):
        expect_in_time(at_once(fresh, task_id), "database_unavailable")
    until(lambda: fresh.post(SOUND).ok, within_s=10, what="an upload is accepted")


@pytest.fixture
def database_away(fresh: Stack) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Takes the database away from a stack that is about to start: PostgreSQL hangs, SQLite's file is elsewhere."""
    if not fresh.database_url.startswith("sqlite"):
        with proxy(fresh.database_url) as made:
            fresh.database_url = made.url

            @contextlib.contextmanager
            def hangs() -> Iterator[None]:
                made.block()
                yield
                made.unblock()

            yield hangs
        return
    file = Path(fresh.database_url.removeprefix("sqlite:///"))

    @contextlib.contextmanager
    def moved() -> Iterator[None]:
        elsewhere = file.with_name("elsewhere.db")
        file.rename(elsewhere)
        yield
        elsewhere.rename(file)

    yield moved


def test_a_database_that_is_away_makes_no_client_give_up(
    fresh: Stack, database_away: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    fresh.start_api()
    task_id, never_polled = fresh.submit(SOUND), fresh.submit(SOUND)
    last = fresh.status(task_id)
    with database_away():
        answers = at_once(fresh, task_id)
        code = "database_damaged" if fresh.database_url.startswith("sqlite") else "database_unavailable"
        expect_in_time(answers, code)
        # Expect what was told last, with a warning
        for _, body, _ in answers.polls:
            assert {**last, "warnings": body["warnings"]} == body
            assert [warning["code"] for warning in body["warnings"]] == [code]
        # And a job of which this process knows nothing to be in work
        unknown = fresh.status(never_polled)
        assert (unknown["status"], unknown["warnings"][0]["code"]) == ("processing", code)
        # And readiness to say so
        told_of(fresh, "database", ok=False)
        assert readiness(fresh).status_code == 503
    until(lambda: fresh.post(SOUND).ok, within_s=15, what="an upload is accepted")
    assert fresh.status(task_id) == last
    told_of(fresh, "database", ok=True)


def test_calls_to_postgresql_have_limits(fresh: Stack) -> None:
    if fresh.database_url.startswith("sqlite"):
        pytest.skip("of PostgreSQL alone")
    wanted = {"lock_timeout": "1800ms", "statement_timeout": "1900ms", "idle_in_transaction_session_timeout": "10s"}
    opened = Database(f"{fresh.database_url}?tcp_user_timeout=4000", timeouts=ANSWERING)
    with opened.write() as connection:
        limits = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in wanted}
        driver = connection.connection.dbapi_connection
        assert driver is not None
        said = driver.info.get_parameters()
    opened.close()
    assert limits == wanted
    assert (said["keepalives"], said["keepalives_idle"], said["connect_timeout"]) == ("1", "5", "2")
    # Expect what the address says to go before
    assert said["tcp_user_timeout"] == "4000"


def test_a_damaged_database_and_a_lost_folder_are_told(fresh: Stack) -> None:
    if not fresh.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL looks after its own files")
    fresh.start_api()
    task_id = fresh.submit(SOUND)
    assert fresh.status(task_id)["status"] == "pending"
    # Given no folder for uploads
    folder = fresh.folder / "data" / "audio"
    folder.rename(folder.with_name("elsewhere"))
    refused = fresh.post(SOUND)
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
    told_of(fresh, "storage", ok=False)
    folder.with_name("elsewhere").rename(folder)
    assert fresh.post(SOUND).ok
    # Given a database that is cut off behind its first pages
    file = Path(fresh.database_url.removeprefix("sqlite:///"))
    with contextlib.closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as opened_file:
        opened_file.truncate(8192)
    # Expect no internal error, and readiness to say so
    answers = [fresh.post(SOUND) for _ in range(3)]
    assert {response.status_code for response in answers} <= {503}
    assert "database" in told_of(fresh, "database", ok=False)["detail"]
    assert fresh.status(task_id)["status"] == "pending"
    assert "Traceback" not in fresh.log()
