"""Runs `python -m streametrics up`: every process, in order, under one supervisor, until Ctrl-C."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from streametrics.concurrency.processes import is_alive
from streametrics.errors import QueueUnavailable, StreametricsError, UnsafeSettings
from streametrics.preflight import broker, checks, ports, private_files, settings_errors
from streametrics.settings import Settings
from streametrics.supervisor import banner, commands, readiness_probe
from streametrics.supervisor.console import Console
from streametrics.supervisor.embedded_valkey import EmbeddedQueue
from streametrics.supervisor.supervisor import Supervisor

TICK_S = 0.1
QUEUE_START_S = 60.0  #: one that reads a large append-only file answers late
#: How often the start says what it is still waiting for, in seconds, where there is no terminal.
STILL_WAITING_S = 15.0
SLOW_START_S = 60.0  #: a start that takes longer tells why
#: How long a killed supervisor's orphan guard may need to clear up, in seconds.
ORPHAN_GUARD_TIMEOUT_S = 15.0


class AlreadyRunning(StreametricsError):
    """StreaMetrics is already running on this data folder."""

    code = "already_running"


@dataclass(frozen=True, slots=True)
class ProcessSelection:
    """Which processes this host runs; all of them, unless some run elsewhere."""

    transcribe: bool = True
    summarize: bool = True
    api: bool = True

    @property
    def needed(self) -> tuple[str, ...]:
        """List the checks of `/health/ready` that this start waits for."""
        workers = (("transcribe_worker", self.transcribe), ("summarise_worker", self.summarize))
        return ("database", "storage", "queue", *(name for name, here in workers if here))


def up(settings: Settings, selection: ProcessSelection) -> int:
    """Run the service until a signal; returns the exit code. Raises StreametricsError where it cannot start."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    warnings = [*checks.settings_warnings(), *checks.require_safe(settings)]
    with exclusive_data_dir(settings) as lock:
        private_files.mend(settings.data_dir, settings.effective_database_url)
        console = Console(settings.data_dir / "logs" / "streametrics.log")
        try:
            if settings.port == 0:
                settings = settings.model_copy(update={"port": ports.free_port(settings.host)})
            if selection.api:
                ports.require_free_port(settings)
            return ServiceRun(settings, selection, console, warnings).run(lock)
        finally:
            console.close()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def exclusive_data_dir(settings: Settings) -> Iterator[int]:
    """Lock the data folder for this process; yields the lock's file descriptor. Raises AlreadyRunning."""
    import fcntl  # not on Windows, where `up` is not offered

    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnsafeSettings(
            f"DATA_DIR={settings_errors.display(settings.data_dir)} cannot be made ({error.strerror}): set a folder "
            "that this account owns."
        ) from error
    path = settings.data_dir / "streametrics.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + ORPHAN_GUARD_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # The orphan guard of a killed supervisor holds the lock until it has cleared up.
                if _holder_is_alive(path) or time.monotonic() > deadline:
                    raise AlreadyRunning(_already_running(path, settings)) from None
                time.sleep(TICK_S)
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield lock
    finally:
        os.close(lock)


def _holder_is_alive(path: Path) -> bool:
    try:
        return is_alive(int(path.read_text()))
    except ValueError:  # it has not written its id yet
        return False


def _already_running(path: Path, settings: Settings) -> str:
    pid = path.read_text().strip() or "unknown"
    return (
        f"StreaMetrics is already running on {settings_errors.display(settings.data_dir)} (process {pid}): stop "
        "it with Ctrl-C there, or start this one with another DATA_DIR, PORT and QUEUE_PORT."
    )


class ServiceRun:
    """Runs the service once, from its start to its stop."""

    def __init__(self, settings: Settings, selection: ProcessSelection, console: Console, warnings: list[str]) -> None:
        self._settings, self._selection, self._console = settings, selection, console
        self._warnings = warnings
        self._signals = 0
        self._started_at = time.monotonic()
        self._queue_is_embedded = False
        self._ready: readiness_probe.Readiness | None = None

    def run(self, lock: int) -> int:
        for warning in self._warnings:
            self._console.warn(warning)
        self._prepare()
        supervisor = Supervisor(self._console, keep_open=(lock,))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _signal, _frame: self._on_signal(supervisor))
        try:
            self._start_queue(supervisor)
            if not self._signals:
                os.environ.update(self._shared_settings())
                self._clear_worker_registry()
                for spec in commands.process_specs(
                    self._settings,
                    transcribe=self._selection.transcribe,
                    summarize=self._selection.summarize,
                    api=self._selection.api,
                ):
                    supervisor.start(spec)
                self._watch(supervisor)
                self._console.say("Stopping. Jobs that are not finished go on after the next start.")
        finally:
            supervisor.stop([["transcribe", "summarise"], ["api"], ["queue"]])
        self._console.say("Everything has stopped.")
        return 0

    def _prepare(self) -> None:
        from streametrics.database.migrate import migrate

        migrate(self._settings.effective_database_url, setting=self._settings.database_setting)
        if self._selection.transcribe:
            fetch_weights(self._settings, self._console)
            measure_engines(self._settings, self._console)

    def _clear_worker_registry(self) -> None:
        """Correct what a queue that was used before says of database and workers, before a worker reads it."""
        from streametrics.database.engine import Database
        from streametrics.database.jobs import JobRecords
        from streametrics.redis.client import RedisClient
        from streametrics.redis.worker_registry import ServiceIds, WorkerRegistry, withdraw_dead_workers
        from streametrics.storage.local import AudioStore

        with closing(RedisClient(self._settings.effective_redis_url)) as client:
            registry = WorkerRegistry(client)
            withdraw_dead_workers(registry)
            if self._selection.api:
                with closing(Database(self._settings.effective_database_url)) as database:
                    ids = ServiceIds(
                        JobRecords(database).database_id(), AudioStore(self._settings.data_dir / "audio").store_id()
                    )
                if not registry.announce_service(ids):
                    raise UnsafeSettings(registry.other_service)

    def _start_queue(self, supervisor: Supervisor) -> None:
        if self._settings.redis_url or self._use_running_queue():
            broker.wait_until_answers(self._settings.redis_url)
        else:
            self._start_embedded_queue(supervisor)
        if not self._signals:
            for warning in broker.require_safe(self._settings.effective_redis_url):
                if warning not in self._warnings:  # the self-check may have met the queue already
                    self._console.warn(warning)

    def _use_running_queue(self) -> bool:
        """Take what answers on QUEUE_PORT as the queue that is set; False where nothing does."""
        kept = self._settings.effective_redis_url
        url = f"redis://127.0.0.1:{self._settings.queue_port}/0"
        try:
            if not broker.is_there(url):
                return False
            # It has no password, so the one of an embedded queue before it would be refused.
            self._settings.queue_password_file.unlink(missing_ok=True)
        except broker.QueueWantsPassword:
            # Our own may have outlived its supervisor. Who else listens there must not be told its password.
            if kept == url or ports.is_foreign_queue(self._settings) or not broker.is_there(kept):
                raise
            url = kept
        self._settings = self._settings.model_copy(update={"redis_url": url})
        return True

    def _start_embedded_queue(self, supervisor: Supervisor) -> None:
        port = self._settings.queue_port
        if not ports.port_is_free("127.0.0.1", port):
            raise QueueUnavailable(
                f"Port {port} is used by something that is no Redis: stop it, or set QUEUE_PORT or REDIS_URL."
            )
        self._queue_is_embedded = True
        queue = EmbeddedQueue(self._settings)
        child = supervisor.start(commands.queue_spec(queue))
        deadline = time.monotonic() + QUEUE_START_S
        while not (self._signals or broker.answers_now(queue.url)):
            if not child.is_running or time.monotonic() > deadline:
                raise QueueUnavailable(f"The embedded queue does not start: {child.exit_description()}")
            time.sleep(0.05)

    def _shared_settings(self) -> dict[str, str]:
        """List the settings that were decided here, so that every process has the same."""
        settings = self._settings
        return {
            "HOST": settings.host,
            "PORT": str(settings.port),
            "DATA_DIR": str(settings.data_dir),
            "MODEL_DIR": str(settings.model_dir),
            "REDIS_URL": settings.effective_redis_url,
        }

    def _watch(self, supervisor: Supervisor) -> None:
        waiting = self._selection.api
        if waiting:
            threading.Thread(target=self._await_readiness, name="readiness", daemon=True).start()
        else:
            self._console.say("The workers are started. Ctrl-C stops them.")
        while not self._signals:
            supervisor.tick()
            if waiting and self._ready is not None:
                waiting = False
                self._console.say(
                    banner.text(
                        self._settings,
                        self._ready,
                        started_in_s=time.monotonic() - self._started_at,
                        queue_is_embedded=self._queue_is_embedded,
                        log_file=self._console.log_file,
                    )
                )
            time.sleep(TICK_S)

    def _await_readiness(self) -> None:
        url, told_at = ports.local_url(self._settings), time.monotonic()
        while not self._signals:
            answer = self._fetch_readiness(url)
            if answer is not None and answer.is_ready(self._selection.needed):
                self._ready = answer
                return
            waited_s = time.monotonic() - self._started_at
            text = "waiting for the " + (answer.missing(self._selection.needed) if answer else "API")
            if answer and waited_s > SLOW_START_S:
                text = answer.waiting_for(self._selection.needed)  # by now the reasons are worth a reading
            self._console.status(f"Warming up, {waited_s:.0f} s: {text}"[:120])
            if time.monotonic() - told_at > STILL_WAITING_S:
                told_at = time.monotonic()
                self._console.say(f"Still warming up: {text}")
            time.sleep(0.3)

    def _fetch_readiness(self, url: str) -> readiness_probe.Readiness | None:
        try:
            return readiness_probe.fetch(url)
        except Exception as error:  # noqa: BLE001 - the start would never be told as over
            self._console.warn(f"Readiness could not be asked for: {type(error).__name__}: {error}")
            time.sleep(STILL_WAITING_S)
            return None

    def _on_signal(self, supervisor: Supervisor) -> None:
        self._signals += 1
        if self._signals > 1:
            supervisor.hurry()


def fetch_weights(settings: Settings, console: Console | None = None) -> None:
    """Fetch the model's weights where they are missing or damaged, with a progress bar."""
    from streametrics.transcription import factory as transcriber_factory
    from streametrics.weights import cache as weights_cache

    wanted = transcriber_factory.weights_format(transcriber_factory.resolve_engine(settings))
    if wanted is None:
        return
    is_present = weights_cache.is_present(settings.whisper_model, wanted, settings.model_dir)
    if console is not None and not is_present:
        console.say(f"Fetching the weights of the Whisper model '{settings.whisper_model}'")
    weights_cache.ensure(settings.whisper_model, wanted, settings.model_dir, progress=True)


def measure_engines(settings: Settings, console: Console) -> None:
    """Measure, once on each machine, which engine is the fastest."""
    from streametrics.transcription import engine_benchmark

    if not engine_benchmark.is_due(settings):
        return
    console.say("Measuring which Whisper engine is the fastest on this machine (once, about 10 s)")
    seconds = engine_benchmark.measure(settings)
    for engine, taken_s in sorted(seconds.items(), key=lambda entry: entry[1]):
        console.say(f"  {engine}: {taken_s:.1f} s for 26 s of speech")
    fetch_weights(settings, console)
