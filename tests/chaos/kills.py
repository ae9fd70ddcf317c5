"""Rows 1 and 2: processes are killed at random under load, and every accepted job has to end once, and only once."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.ledger import Entry, Ledger, Verdict
from tests.chaos.load import Load
from tests.chaos.service import Member, Service, service

LEASE_S, MAINTENANCE_S = 2.0, 0.5
SETTINGS = {
    "LEASE_S": str(LEASE_S),
    "MAINTENANCE_INTERVAL_S": str(MAINTENANCE_S),
    "RESEND_AFTER_S": "3",
    "LIVE_MAX_S": "3",
    "PART_TARGET_S": "2",
    "CHAOS_ORPHAN_AGE_S": "20",
    "TASK_TIME_LIMIT_S": "60",
    "TASK_SOFT_TIME_LIMIT_S": "50",
}
#: What a job may end with when its worker dies under it again and again.
EXPECTED = frozenset({"worker_lost"})
#: After the last kill, all must have ended within this time, in seconds. Without a killer it takes a few.
DRAIN_S = 120.0
#: How long a victim with work in its hands is looked for, in seconds.
PATIENCE_S = 3.0
#: Kinds of harm with how often each comes.
WAYS = {"child": 4, "worker": 3, "api": 2, "stop_then_kill": 2, "freeze": 1}


@dataclass
class Hit:
    """One kill: when, how, the claims that the killed process held, and which process that was."""

    at: float
    way: str
    held: list[tuple[str, int | None, int]]
    victim: str = ""


@dataclass
class Killer:
    """Chooses a victim and a way, and starts again what has died."""

    service: Service
    ledger: Ledger
    chance: random.Random
    hits: list[Hit] = field(default_factory=list)
    #: Names of processes that live on.
    spared: tuple[str, ...] = ()
    frozen: int = 0
    #: Processes that ended by themselves, with their last words.
    fell_over: list[str] = field(default_factory=list)
    #: Celery ends a prefork worker whose child died before it had started; its supervisor starts it again.
    gave_up: int = 0
    #: From when to when a process stood still in the middle of a write, so that SQLite let nobody else write.
    locked: list[tuple[float, float]] = field(default_factory=list)

    def strike(self) -> None:
        """One kill, or one freeze."""
        way = self.chance.choices(list(WAYS), list(WAYS.values()))[0]
        victim = self._victim(way)
        if way == "freeze":
            self._freeze(victim)
            return
        if way == "child":
            self._kill_child(victim)
            return
        stops_first = way == "stop_then_kill"
        still_s = self.chance.uniform(0.2, 1.5 * LEASE_S)
        with self._still(victim, still_s) if stops_first else contextlib.nullcontext():
            held = self._held(victim)
            victim.send(signal.SIGKILL)
            self._note(way, victim, held)
        time.sleep(self.chance.uniform(0.0, 0.5))
        self.service.start(victim)

    def _victim(self, way: str) -> Member:
        """Mostly one that has a job in its hands: there it hurts."""
        if way == "api":
            return self.chance.choice([api for api in self.service.apis if api.name not in self.spared])
        members = [member for member in self.service.workers if member.name not in self.spared]
        if way == "child":
            members = [member for member in members if member.kind == "prefork"]
        patience = time.monotonic() + self.chance.choice((0.0, PATIENCE_S, PATIENCE_S, PATIENCE_S))
        while time.monotonic() < patience:
            busy = [member for member in members if self._held(member)]
            if busy:
                return self.chance.choice(busy)
            time.sleep(0.1)
        return self.chance.choice(members)

    def _kill_child(self, victim: Member) -> None:
        """Prefork replaces its child by itself."""
        held = self._held(victim)
        for pid in victim.pool_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._note("child", victim, held)

    def _freeze(self, victim: Member) -> None:
        """Past its lease, and then let go: what it writes now comes too late and has to be refused."""
        with self._still(victim, LEASE_S + 2 * MAINTENANCE_S):
            victim.send_group(signal.SIGCONT)
        self.frozen += 1
        self.ledger.note("frozen", victim=victim.name)

    @contextlib.contextmanager
    def _still(self, victim: Member, seconds: float) -> Iterator[None]:
        """It stands still for so long before this block, in which it has to be let go or killed."""
        victim.send_group(signal.SIGSTOP)
        since = time.time()
        time.sleep(seconds)
        locked = not journal.can_be_written(self.service.database)
        yield
        if locked:
            self.locked.append((since, time.time()))

    def revive(self) -> None:
        """Start again what died without being killed here, and remember that it did."""
        for member in self.service.members.values():
            if not member.is_running:
                last_words = self.service.tail(member, 1)
                if "Could not start worker processes" in last_words and self._killed_its_child(member):
                    self.gave_up += 1
                else:
                    self.fell_over.append(f"{member.name}: {last_words}")
                self.ledger.note("fell over", victim=member.name)
                self.service.start(member)

    def _killed_its_child(self, member: Member) -> bool:
        """Since its last start."""
        return any(hit.way == "child" and hit.victim == member.name and hit.at > member.started_at for hit in self.hits)

    def _held(self, victim: Member) -> list[tuple[str, int | None, int]]:
        return [] if victim.kind == "api" else journal.held_by(self.service.database, victim.name)

    def _note(self, way: str, victim: Member, held: list[tuple[str, int | None, int]]) -> None:
        at = self.ledger.note("killed", way=way, victim=victim.name, held=len(held))
        self.hits.append(Hit(at, way, held, victim.name))


def run(form: Form, folder: Path) -> list[Figure]:
    """Kill under load, let all end, and judge."""
    broken = {"CHAOS_MAINTENANCE_OFF": "1"} if form.maintenance_off else {}
    patience_s = 15.0 if form.maintenance_off else DRAIN_S
    with service(folder, **SETTINGS, **broken) as running, Ledger(folder / "ledger.jsonl") as ledger:
        _start(running)
        killer = Killer(running, ledger, random.Random(form.seed))
        with Load(running, ledger, in_flight=10, seed=form.seed) as load:
            while len(killer.hits) < form.kills:
                killer.strike()
                time.sleep(killer.chance.uniform(0.1, 0.6))
                killer.revive()
                form.progress(f"{len(killer.hits)} of {form.kills} kills, {len(ledger.ids)} accepted")
            load.drain(patience_s)
            load.read_all_again()
        left = left_over(running, patience_s)
        verdict = ledger.judge(journal.read(running.database), expected_codes=EXPECTED)
        return _figures(form, killer, verdict, left_over=left)


def _start(running: Service) -> None:
    running.add_api("api1")
    running.add_api("api2")
    for name in ("prefork1", "prefork2"):
        running.add_worker(name, "prefork", "live,long")
    running.add_worker("solo", "solo", "live,long,summarise")
    running.add_worker("writer", "threads", "summarise", concurrency=4)
    running.wait_until_ready()


def left_over(running: Service, within_s: float) -> int:
    """Files of sound that nobody needs and nobody deletes."""
    deadline = time.monotonic() + within_s
    while running.audio_files and time.monotonic() < deadline:
        time.sleep(0.5)
    return len(running.audio_files)


def _figures(form: Form, killer: Killer, verdict: Verdict, *, left_over: int) -> list[Figure]:
    kills = len(killer.hits)
    entries = journal.read(killer.service.database)
    unfinished = len(journal.unfinished(killer.service.database))
    ways = ", ".join(f"{sum(hit.way == way for hit in killer.hits)} {way}" for way in WAYS if way != "freeze")
    ended = f"{verdict.accepted:,} accepted, {verdict.done:,} done, {dict(verdict.failed) or 'none'} failed"
    freed = list(since_kills(killer.hits, entries, "freed", killer.locked))
    limit_s = LEASE_S + MAINTENANCE_S + 1.0
    return [
        none_of("1", "jobs lost over random kills", len(verdict.lost), kills, f"{ways}; {ended}"),
        none_of("1", "rows without an end, accepted or not", unfinished, kills),
        none_of(
            "1",
            "jobs that failed for a reason that killing does not excuse",
            len(verdict.wrong),
            kills,
            _few(verdict.wrong),
        ),
        none_of(
            "2",
            "effects that appear twice",
            len(verdict.twice),
            kills,
            f"{killer.frozen} processes frozen past their lease beside",
        ),
        none_of("2", "answers that changed after a final one", len(verdict.changed), kills),
        none_of("2", "jobs whose progress fell", len(verdict.fell), kills),
        none_of("1", "processes that died unkilled", len(killer.fell_over), kills, _few(killer.fell_over)),
        Figure("1", "workers that gave up as their child was killed in its start", "told", killer.gave_up),
        none_of("8", "files left over", left_over, kills),
        worst_time(
            "3",
            f"a killed worker's job is free again, lease {LEASE_S:.0f} s",
            freed,
            limit_s,
            quick=form.quick,
            note=f"{len(killer.locked)} times a process that stood still held SQLite's lock, which is not counted",
        ),
    ]


def since_kills(
    hits: list[Hit], entries: list[Entry], event: str, locked: Sequence[tuple[float, float]] = ()
) -> Iterator[float]:
    """Seconds from each kill until this happened to each claim that the victim held, while anybody could write."""
    for hit in hits:
        for task_id, part_index, attempt in hit.held:
            after = attempt if event == "freed" else attempt + 1
            for entry in entries:
                same = (entry.task_id, entry.part_index, entry.attempt) == (task_id, part_index, after)
                if same and entry.event == event and entry.at >= hit.at:
                    yield entry.at - hit.at - sum(_overlap((hit.at, entry.at), each) for each in locked)
                    break


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def _few(ids: list[str]) -> str:
    return ", ".join(ids[:3])
