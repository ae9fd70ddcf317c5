"""Each part that works in the background is killed, by an error that nobody expected: it is logged, readiness names
it, and it goes on by itself.

Tasks of the event loop are killed in `redis/test_job_versions.py`.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.concurrency import background
from streametrics.concurrency.background import background_parts
from streametrics.domain.job import Claim, JobKind, JobRequest, Stage
from streametrics.errors import DatabaseUnavailable
from streametrics.jobs.connections import Connections
from streametrics.jobs.joining import Joining, JoiningThread
from streametrics.jobs.maintenance import Maintenance
from streametrics.jobs.recovery import Recovery
from streametrics.jobs.retention import Retention
from streametrics.llm import http
from streametrics.llm.warmup import ModelLoader
from streametrics.observability import logging as logs
from streametrics.observability import metrics
from streametrics.redis import worker_registry
from streametrics.redis.worker_registry import BACKGROUND, BackgroundReport, RegisteredWorker, WorkerHeartbeat
from streametrics.settings import Settings
from streametrics.supervisor.child_process import ChildProcess, ProcessSpec
from streametrics.transcription.batching.execution import Batch, BatchFinished, ExecutionPool
from streametrics.worker import attempt, watchdog
from streametrics.worker.attempt import Attempt
from streametrics.worker.lease import Lease
from streametrics.worker.stopping import StopThread
from tests.support.stack import until

LIMIT_S = 10.0
CLAIM = Claim(
    "id",
    Stage.SUMMARIZE,
    1,
    1,
    "w",
    JobRequest(streamer="s", language="en", game="", time="0", title=""),
    JobKind.LIVE,
    time_left_s=60,
)


class Action:
    """What a part does in each round: it raises while there is an error, and counts its rounds otherwise."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.rounds = threading.Semaphore(0)

    def __call__(self, *_: object, **__: object) -> bool:
        if self.error is not None:
            raise self.error
        self.rounds.release()
        return True


Part = Callable[[Action, pytest.MonkeyPatch, Path], AbstractContextManager[None]]


@contextmanager
def maintenance(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    monkeypatch.setattr(Recovery, "round", action)
    monkeypatch.setattr(Retention, "round", lambda _: None)
    connections = Connections(Settings(_env_file=None, data_dir=folder, maintenance_interval_s=0.01))
    running = Maintenance(connections)
    running.start()
    yield
    running.stop()
    connections.close()


@contextmanager
def joining(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    monkeypatch.setattr(Joining, "round", action)
    connections = Connections(Settings(_env_file=None, data_dir=folder, maintenance_interval_s=0.01))
    running = JoiningThread(connections)
    running.start()
    yield
    running.stop()
    connections.close()


@contextmanager
def heartbeat(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    monkeypatch.setattr(worker_registry, "INTERVAL_S", 0.01)
    running = WorkerHeartbeat(cast(Any, SimpleNamespace(announce=action, withdraw=lambda _: None)), "transcribe")
    running.start()
    yield
    running.stop()


@contextmanager
def metrics_of_a_process(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    monkeypatch.setattr(metrics, "FLUSH_INTERVAL_S", 0.01)
    counted = metrics.Metrics(lambda amounts: not action())
    counted.count(metrics.ERASED)  # never flushed, so each round tries
    yield
    action.error = None
    counted.close()


@contextmanager
def watchdog_of_a_process(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    monkeypatch.setattr(watchdog, "_arm", action)
    with watchdog.Watchdog().watch(0.04):
        yield


@contextmanager
def lease_renewal(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    jobs = SimpleNamespace(lease_s=0.03, renew=action, is_cancelled=lambda _: False)
    with Lease(cast(Any, jobs), CLAIM, stopping=threading.Event()):
        yield


@contextmanager
def progress_publication(action: Action, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    jobs = SimpleNamespace(lease_s=0.03, renew=lambda *_, **__: True, is_cancelled=lambda _: False)
    held = Lease(cast(Any, jobs), CLAIM, stopping=threading.Event())
    monkeypatch.setattr(held.reporter, "publish_pending", action)
    with held:
        yield


PARTS: dict[str, Part] = {
    "maintenance": maintenance,
    "joining": joining,
    "heartbeat": heartbeat,
    "metrics": metrics_of_a_process,
    "watchdog": watchdog_of_a_process,
    "lease renewal": lease_renewal,
    "lease renewal ": progress_publication,
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RETRY_S", 0.02)


@pytest.mark.parametrize("error", [RuntimeError("closed"), SystemExit(1)], ids=["error", "exit"])
@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_killed_named_and_back(
    name: str, error: BaseException, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    action = Action()
    with PARTS[name](action, monkeypatch, tmp_path):
        assert action.rounds.acquire(timeout=LIMIT_S)
        action.error = error
        trouble = f"{name.strip()} (failed"
        until(lambda: trouble in background_parts.trouble(), within_s=LIMIT_S, what="readiness names it")
        assert type(error).__name__ in background_parts.trouble()
        action.error = None
        until(lambda: background_parts.trouble() == "", within_s=LIMIT_S, what="it runs again")
        while action.rounds.acquire(blocking=False):
            pass
        assert action.rounds.acquire(timeout=LIMIT_S)
    assert "failed; the next one tries again" in caplog.text
    assert background_parts.trouble() == ""


def test_a_claim_that_cannot_be_released_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "RELEASE_RETRY_INTERVAL_S", 0.01)
    action = Action()
    action.error = RuntimeError("closed")
    # Given a database that is away, and a release that then fails by something else
    Attempt(cast(Any, SimpleNamespace(release=action)), CLAIM, stopping=threading.Event()).end(DatabaseUnavailable())
    until(lambda: "release (failed" in background_parts.trouble(), within_s=LIMIT_S, what="readiness names it")
    action.error = None
    assert action.rounds.acquire(timeout=LIMIT_S)
    until(lambda: background_parts.trouble() == "", within_s=LIMIT_S, what="it has ended")


def test_a_heartbeat_is_written_though_its_facts_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_registry, "INTERVAL_S", 0.01)
    written: queue.SimpleQueue[RegisteredWorker] = queue.SimpleQueue()
    registry = SimpleNamespace(announce=lambda worker, expires_s: written.put(worker), withdraw=lambda _: None)
    beats = WorkerHeartbeat(cast(Any, registry), "summarize")

    def facts() -> dict[str, str]:
        raise ValueError("of the model server")

    beats.start()
    beats.ready(facts)
    # Expect the process not to count as gone, and its heartbeat to say what is wrong
    until(
        lambda: "heartbeat (failed" in written.get(timeout=LIMIT_S).facts.get(BACKGROUND, ""),
        within_s=LIMIT_S,
        what="a heartbeat tells of it",
    )
    assert written.get(timeout=LIMIT_S).ready
    beats.stop()


def test_a_process_without_a_heartbeat_tells_what_does_not_run_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_registry, "INTERVAL_S", 0.01)
    told: dict[str, RegisteredWorker] = {}
    registry = SimpleNamespace(
        announce=lambda worker, expires_s: told.update({worker.name: worker}), withdraw=lambda name: told.pop(name)
    )
    report = BackgroundReport(cast(Any, registry), "parent")
    report.start()
    part = background.BackgroundPart("maintenance")
    background_parts.add(part)
    assert told == {}
    part.failed(RuntimeError("x"))
    [worker] = until(lambda: list(told.values()), within_s=LIMIT_S, what="it is told")
    assert worker.facts == {BACKGROUND: "maintenance (failed with RuntimeError)"} and not worker.ready
    part.succeeded()
    until(lambda: not told, within_s=LIMIT_S, what="it is withdrawn")
    background_parts.discard(part)
    report.stop()


def test_one_lease_that_cannot_be_settled_keeps_no_other_from_it(caplog: pytest.LogCaptureFixture) -> None:
    settled: list[str] = []

    class Watched(Recovery):
        def _settle(self, expired: Any) -> None:
            if expired.message.task_id == "poison":
                raise KeyError("damaged row")
            settled.append(expired.message.task_id)

        def _resend_lost(self) -> None:
            settled.append("resent")

    expired = [SimpleNamespace(message=SimpleNamespace(task_id=name)) for name in ("first", "poison", "last")]
    for lease in expired:
        lease.message.part_index = None
        lease.part_index, lease.attempt = None, 1
    connections = SimpleNamespace(
        settings=Settings(_env_file=None),
        announce_service=lambda: True,
        leases=SimpleNamespace(expired=lambda: expired),
    )
    recovery = Watched(cast(Any, connections), cast(Any, None), in_worker=False)
    # Expect the round to count as failed all the same, so that readiness tells of it
    with pytest.raises(RuntimeError, match="1 expired leases"):
        recovery.round()
    assert settled == ["first", "last", "resent"]
    assert "damaged row" in caplog.text


def test_a_context_that_dies_ends_its_batch() -> None:
    class Dying:
        def decode(self, *_: object) -> Iterator[Any]:
            raise SystemExit(1)

        def detect_languages(self, *_: object) -> list[tuple[str, float]]:
            raise SystemExit(1)

    request = SimpleNamespace(outcome=None)
    window = SimpleNamespace(
        speech=None, language=None, request=request, needs_language=False, is_split=False, detected=None
    )
    with ExecutionPool(cast(Any, [Dying(), Dying()])) as pool:
        pool.submit(Batch(cast(Any, [window])))
        found = pool.next_event(within_s=LIMIT_S)
    assert found is not None and isinstance(found[1], BatchFinished)
    assert isinstance(found[1].error, RuntimeError) and "SystemExit" in str(found[1].error)


def test_who_waits_for_a_model_servers_answer_learns_that_its_reader_died(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(http._ResponseReader, "_request", die)
    reader = http._ResponseReader(cast(Any, SimpleNamespace(trust_env=False)), 1.0)
    reader.start()
    assert isinstance(reader.items.get(timeout=LIMIT_S), RuntimeError)


def test_a_load_that_fails_is_logged_though_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("no memory left")

    loader = ModelLoader(fail)
    loader.start()
    until(lambda: "the model was not loaded: no memory left" in caplog.messages, within_s=LIMIT_S, what="it is logged")
    until(lambda: not loader.is_running, within_s=LIMIT_S, what="the next one may load")


def test_a_process_goes_on_though_its_lines_cannot_be_written() -> None:
    # Given more lines than a pipe holds, and a console that fails
    program = "for number in range(20_000): print('a line of some length', number)"
    shown = 0

    def fail(_: str) -> None:
        nonlocal shown
        shown += 1
        raise OSError("no space left on device")

    child = ChildProcess(ProcessSpec("test", (sys.executable, "-c", program), ((signal.SIGTERM, 5.0),)), fail)
    until(lambda: not child.is_running, within_s=30, what="the process came to its end")
    child.kill_group()
    assert shown == 20_000
    assert child.exit_description().startswith("exit code 0")


def test_signals_are_obeyed_after_one_that_could_not_be() -> None:
    stopped = threading.Event()
    step = StopThread.__new__(StopThread)

    def fail_first(number: int) -> None:
        if number == signal.SIGTERM:
            step._is_stopping = False
            raise RuntimeError("of Celery")
        stopped.set()

    step._celerys_handlers = {signal.SIGTERM: None, signal.SIGINT: None}
    step._stop_warm = fail_first  # type: ignore[method-assign]
    with ExitStack() as opened:
        reader, writer = os.pipe()
        opened.callback(os.close, reader)
        thread = threading.Thread(target=step._read, args=(reader,), daemon=True)
        thread.start()
        os.write(writer, bytes([signal.SIGTERM, signal.SIGINT]))
        assert stopped.wait(LIMIT_S)
        os.close(writer)
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_the_decoding_child_ends_with_its_reader_of_requests() -> None:
    program = (
        "import os, queue, select\n"
        "from streametrics.audio import sandbox\n"
        "def die(*_): raise ValueError('of select')\n"
        "select.select = die\n"
        "sandbox.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ended.returncode == 1


def test_whatever_ends_a_thread_is_logged_by_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threading, "excepthook", logs._log_dead_thread)

    def die() -> None:
        raise LookupError("gone")

    thread = threading.Thread(target=die, name="of-a-library")
    thread.start()
    thread.join()
    assert "the thread 'of-a-library' was ended by LookupError" in caplog.messages
