"""A real stack for tests: Redis or Valkey, a database, the API and Celery workers, each a process of its own.

TEST_REDIS_URL and TEST_DATABASE_URL name servers to use instead of the embedded Valkey and SQLite; each stack
takes a database of its own there. Nothing here sleeps: every wait is for a state, up to a limit.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redis
import requests
from sqlalchemy import text

from streametrics.database.engine import open_engine
from streametrics.database.migrate import migrate
from streametrics.settings import Settings
from streametrics.supervisor.embedded_valkey import EmbeddedQueue
from tests.support.ports import free_port

FIELDS = {"streamer": "Zoë 🎮", "language": "en", "game": "Chess", "time": "00:01:30", "title": "Finale 🏆 <b>"}

POLL_S = 0.02
ROOT = Path(__file__).parent.parent.parent

T = TypeVar("T")

_redis_databases: set[int] = set()


def until(look: Callable[[], T | None], *, within_s: float, what: str) -> T:
    """The first true answer of `look`, asked again and again; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"waited {within_s} s in vain: {what}")


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The address of a Redis that this test may fill and stop; a server of one's own unless one is named."""
    if named := os.environ.get("TEST_REDIS_URL"):
        # One of the server's numbered databases each, because two stacks may run at once.
        number = min(set(range(1, 16)) - _redis_databases)
        _redis_databases.add(number)
        url = f"{named.rsplit('/', 1)[0]}/{number}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        try:
            yield url
        finally:
            _redis_databases.remove(number)
        return
    server = RedisServer(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


class RedisServer:
    """An embedded Valkey that a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        from streametrics.settings import Settings

        self._queue = EmbeddedQueue(Settings(data_dir=folder, queue_port=free_port(), _env_file=None))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, with its password once it was started."""
        return self._queue.url

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(self._queue.prepare(), stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        until(lambda: _answers(client), within_s=10, what="the queue answers")
        client.close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=10)
            self._process = None


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The address of an empty, migrated database."""
    named = os.environ.get("TEST_DATABASE_URL")
    if not named:
        url = f"sqlite:///{folder / 'streametrics.db'}"
        migrate(url)
        yield url
        return
    name = f"test_{uuid.uuid4().hex}"
    admin = open_engine(named).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = named.rsplit("/", 1)[0] + "/" + name
    try:
        migrate(url)
        yield url
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


def compiled_once() -> dict[str, str]:
    """This environment, in which Python keeps what it compiles: most of a start's time would else be compiling."""
    folder = Path(tempfile.gettempdir()) / f"streametrics-pycache-{os.getuid()}"
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(folder), **kept}


@dataclass
class Stack:
    """Processes over one database and one queue. `stop` ends all that it started, by process id."""

    folder: Path
    redis_url: str
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def own_settings(self, **changes: Any) -> Settings:
        """The settings with which a test itself is a client, a worker or maintenance of this stack."""
        return Settings(
            data_dir=self.folder / "data",
            redis_url=self.redis_url,
            database_url=self.database_url,
            _env_file=None,
            **changes,
        )

    @property
    def gate(self) -> Path:
        path = self.folder / "gate"
        path.mkdir(exist_ok=True)
        return path

    @property
    def audio_files(self) -> list[Path]:
        """What is stored, without the id that tells the store from others."""
        return [path for path in (self.folder / "data" / "audio").iterdir() if not path.name.startswith(".")]

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def environment(self) -> dict[str, str]:
        return {
            **compiled_once(),
            "DATA_DIR": str(self.folder / "data"),
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "PORT": str(self.port),
            "WHISPER_ENGINE": "fake",
            "SUMMARIZER": "fake",
            # Tests let chunks wait for a worker that they start late, on a machine that may be slow.
            "MAX_LIVE_WAIT_S": "600",
            "TEST_GATE": str(self.gate),
            # The code beside these tests, wherever another copy of it is installed.
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
            **self.settings,
        }

    def start_api(self) -> "subprocess.Popen[bytes]":
        process = self._start("api", ["-m", "streametrics", "api"])
        until(lambda: self._is_live(process), within_s=30, what="the API is live")
        return process

    def start_worker(
        self,
        *,
        app: str = "streametrics.celery_app",
        queues: str = "live,long",
        pool: str = "prefork",
        name: str = "w",
        concurrency: int = 1,
    ) -> "subprocess.Popen[bytes]":
        """Started, and ready when a ready worker for its stage is announced that was not there before."""
        before = set(self._ready_workers())
        process = self.launch_worker(app=app, queues=queues, pool=pool, name=name, concurrency=concurrency)
        until(lambda: set(self._ready_workers()) - before, within_s=90, what=f"worker {name} is ready")
        return process

    def launch_worker(
        self, *, app: str, queues: str, pool: str, name: str, concurrency: int = 1
    ) -> "subprocess.Popen[bytes]":
        """Started, and not waited for."""
        command = ["-m", "celery", "-A", app, "worker", "-Q", queues, "-n", f"{name}@%h", "-P", pool]
        command += ["-c", str(concurrency)]
        return self._start(f"worker-{name}", [*command, "-E", "--without-gossip", "--without-mingle", "-l", "INFO"])

    def start_all(self, *, app: str = "streametrics.celery_app") -> None:
        """The API, one worker for sound and one for summaries."""
        self.start_api()
        self.start_worker(app=app, name="transcribe")
        self.start_worker(app=app, name="summarise", queues="summarise", pool="threads")

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)

    def keys(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`streametrics keys` for this service."""
        return subprocess.run(
            [sys.executable, "-m", "streametrics", "keys", *arguments],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def add_key(self, name: str, scope: str, *more: str) -> str:
        finished = self.keys("add", name, "--scope", scope, *more)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.strip()

    def post(self, audio: bytes, name: str = "chunk.wav", **fields: str | None) -> requests.Response:
        """POST /summarize/ with the six fields; None leaves one out."""
        data = {key: value for key, value in (FIELDS | fields).items() if value is not None}
        return requests.post(f"{self.url}/summarize/", data=data, files={"audio": (name, audio)}, timeout=60)

    def submit(self, audio: bytes, **fields: str | None) -> str:
        response = self.post(audio, **fields)
        assert response.status_code == 200, response.text
        return str(response.json()["task_id"])

    def status(self, task_id: str) -> dict[str, Any]:
        response = requests.get(f"{self.url}/summarize/status/{task_id}", timeout=10)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def finished(self, task_id: str, *, within_s: float = 60) -> dict[str, Any]:
        """The status once it is final."""
        seen = self.history(task_id, within_s=within_s)
        return seen[-1]

    def history(self, task_id: str, *, within_s: float = 60) -> list[dict[str, Any]]:
        """Every different status that quick polling sees, up to the final one."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            status = self.status(task_id)
            if not seen or seen[-1] != status:
                seen.append(status)
            return status["status"] in ("done", "error")

        until(look, within_s=within_s, what=f"job {task_id} ends; last seen {seen[-1:]}")
        return seen

    def _start(self, name: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment(),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that all of it can be ended at once.
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _is_live(self, process: "subprocess.Popen[bytes]") -> bool:
        assert process.poll() is None, self.log()
        try:
            return requests.get(f"{self.url}/health/live", timeout=2).ok
        except requests.ConnectionError:
            return False

    def _ready_workers(self) -> list[str]:
        from streametrics.redis.client import RedisClient
        from streametrics.redis.worker_registry import WorkerRegistry

        client = RedisClient(self.redis_url)
        try:
            return [worker.name for worker in WorkerRegistry(client).workers() if worker.ready]
        finally:
            client.close()


@contextlib.contextmanager
def stack(folder: Path, **settings: str) -> Iterator[Stack]:
    """A stack with nothing started yet; what is started in it ends with it."""
    with redis_server(folder) as redis_url, database(folder) as database_url:
        made = Stack(folder, redis_url, database_url, settings)
        try:
            yield made
        finally:
            made.stop()
