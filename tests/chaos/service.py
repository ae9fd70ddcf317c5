"""The real processes under test, each of which may be stopped, killed and started again at any moment."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from streametrics.database.migrate import migrate
from streametrics.redis.client import RedisClient
from streametrics.redis.worker_registry import WorkerRegistry
from tests.chaos import journal
from tests.support.ports import free_port
from tests.support.stack import RedisServer, compiled_once, until

ROOT = Path(__file__).parent.parent.parent
STUB = "tests.chaos.stub_worker"
REAL = "streametrics.celery_app"
#: How long a start may take on a machine that does other things too, in seconds.
START_S = 120.0
#: Migrations are not for several threads at once.
_migrating = threading.Lock()


@dataclass
class Member:
    """A process and all that it starts. `port` is an API's; `kind` is `api`, `prefork`, `threads` or `solo`."""

    name: str
    kind: str
    command: list[str]
    environment: dict[str, str]
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """To the process alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """To the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def pool_children(self) -> list[int]:
        """Process ids of prefork's children: those that hold the model and do the work."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children()
            return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
        return []

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []


@dataclass
class Service:
    """Processes over one SQLite database and one Valkey of their own."""

    folder: Path
    queue: RedisServer
    settings: dict[str, str]
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "streametrics.db"

    @property
    def runs(self) -> Path:
        """A line for each time that a sound was begun which kills or hangs its engine."""
        return self.folder / "runs"

    @property
    def apis(self) -> list[Member]:
        return [member for member in self.members.values() if member.kind == "api"]

    @property
    def workers(self) -> list[Member]:
        return [member for member in self.members.values() if member.kind != "api"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.apis[0].port}"

    @property
    def audio_files(self) -> list[Path]:
        """What jobs left in the audio store; its own id is no job's."""
        folder = self.folder / "data" / "audio"
        found = folder.rglob("*") if folder.exists() else ()
        return [path for path in found if path.is_file() and path != folder / ".store-id"]

    def environment(self) -> dict[str, str]:
        return {
            **compiled_once(),
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(self.folder / "data"),
            "REDIS_URL": self.queue.url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "WHISPER_ENGINE": "fake",
            "SUMMARIZER": "fake",
            "CHAOS_RUNS": str(self.runs),
            **self.settings,
        }

    def add_api(self, name: str = "api") -> Member:
        port = free_port()
        command = [sys.executable, "-m", "tests.chaos.api"]
        return self._add(Member(name, "api", command, {"PORT": str(port)}, port))

    def add_worker(self, name: str, pool: str, queues: str, *, app: str = STUB, concurrency: int = 1) -> Member:
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queues, "-n", f"{name}@%h", "-P", pool]
        command += ["-c", str(concurrency), "-E", "--without-gossip", "--without-mingle", "-l", "INFO"]
        return self._add(Member(name, pool, command, {}))

    def _add(self, member: Member) -> Member:
        self.members[member.name] = member
        self.start(member)
        return member

    def start(self, member: Member) -> None:
        """Start it, or start it again; what is left of it is ended first, as the supervisor does."""
        if member.process is not None:
            member.send_group(signal.SIGKILL)
            member.process.wait(timeout=30)
        member.started_at = time.time()
        with (self.folder / f"{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(
                member.command,
                env=self.environment() | member.environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, within_s: float = START_S) -> None:
        """Every API answers and every worker has said that it is ready."""
        for api in self.apis:
            until(lambda api=api: is_live(api), within_s=within_s, what=f"{api.name} is live\n{self.tail(api)}")
        wanted = sum(1 for member in self.workers)
        until(lambda: self.ready_workers() >= wanted, within_s=within_s, what=f"{wanted} workers are ready")

    def ready_workers(self) -> int:
        """How many worker processes say that they are ready."""
        client = RedisClient(self.queue.url)
        try:
            hosts = {worker.name for worker in WorkerRegistry(client).workers() if worker.ready}
        finally:
            client.close()
        alive = {process.pid for member in self.workers for process in member.family()}
        return len({pid for name in hosts if (pid := int(name.rpartition(":")[2])) in alive})

    def engine(self) -> str:
        """The engine that the workers announce, with its model."""
        client = RedisClient(self.queue.url)
        try:
            facts = [worker.facts for worker in WorkerRegistry(client).workers() if "engine" in worker.facts]
        finally:
            client.close()
        return " ".join((facts[0]["engine"], facts[0]["model"])) if facts else "no engine"

    def log(self, member: Member) -> str:
        path = self.folder / f"{member.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self, member: Member, lines: int = 15) -> str:
        return "\n".join(self.log(member).splitlines()[-lines:])

    def stop(self) -> None:
        for member in self.members.values():
            if member.process is not None:
                member.send_group(signal.SIGCONT)
                member.send_group(signal.SIGKILL)
                member.process.wait(timeout=30)


def is_live(api: Member) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{api.port}/health/live", timeout=5).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def service(folder: Path, **settings: str) -> Iterator[Service]:
    """A service with nothing started yet; what is started in it ends with it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Service(folder, RedisServer(folder), settings)
    try:
        made.queue.start()
        with _migrating:
            migrate(f"sqlite:///{made.database}")
        journal.install(made.database)
        yield made
    finally:
        made.stop()
        made.queue.stop()
