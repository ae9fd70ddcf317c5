"""Ten minutes of ordinary load with a fault now and then: nothing is lost, and nothing grows."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.chaos import journal
from tests.chaos.figures import Figure, none_of
from tests.chaos.form import Form
from tests.chaos.kills import DRAIN_S, EXPECTED, SETTINGS, Killer, left_over
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.service import Service, service

FOR_S = 600.0
#: Between two faults, in seconds.
FAULT_EVERY_S = (8.0, 20.0)
#: Memory is compared from here on, in seconds after the start: caches and pools have filled by then.
SETTLED_AFTER_S = 60.0
#: What a process may have gained by the end.
GROWTH_MIB = 40.0
#: These live through it; all others are killed now and then.
SPARED = ("api1", "prefork1", "writer")


def run(form: Form, folder: Path) -> list[Figure]:
    chance = random.Random(form.seed)
    with service(folder, **SETTINGS) as running, Ledger(folder / "ledger.jsonl") as ledger:
        for name in ("api1", "api2"):
            running.add_api(name)
        for name in ("prefork1", "prefork2"):
            running.add_worker(name, "prefork", "live,long")
        running.add_worker("writer", "threads", "summarise", concurrency=4)
        running.wait_until_ready()
        killer = Killer(running, ledger, chance, spared=SPARED)
        restarts = 0
        with Load(running, ledger, in_flight=6, seed=form.seed) as load:
            began, before = time.monotonic(), {}
            while time.monotonic() - began < FOR_S:
                time.sleep(chance.uniform(*FAULT_EVERY_S))
                if not before and time.monotonic() - began > SETTLED_AFTER_S:
                    before = dict(_memory_mib(running))
                if chance.random() < 0.2:
                    restarts += _restart_queue(running, chance)
                else:
                    killer.strike()
                killer.revive()
                form.progress(f"{time.monotonic() - began:.0f} s, {len(ledger.ids)} accepted, {len(killer.hits)} kills")
            load.drain(DRAIN_S)
            after = dict(_memory_mib(running))
            load.read_all_again()
        left = left_over(running, DRAIN_S)
        verdict = ledger.judge(journal.read(running.database), expected_codes=EXPECTED)
        unfinished = journal.unfinished(running.database)
    harm = {*verdict.lost, *verdict.twice, *verdict.changed, *verdict.wrong, *unfinished}
    faults = f"{len(killer.hits)} kills, {restarts} restarts of the queue"
    note = f"{faults}; {verdict.done:,} done, {dict(verdict.failed) or 'none'} failed"
    grown = max((after[name] - before[name] for name in before if name in after), default=float("inf"))
    memory = ", ".join(f"{name} {before[name]:.0f} → {after[name]:.0f}" for name in before if name in after)
    return [
        none_of(
            "1",
            f"jobs lost, changed, doubled or failed in {FOR_S / 60:.0f} minutes with faults",
            len(harm),
            verdict.accepted,
            note,
        ),
        none_of(
            "1",
            "processes that died unkilled",
            len(killer.fell_over),
            verdict.accepted,
            "; ".join(killer.fell_over[:3]),
        ),
        none_of("8", "files left over", left, verdict.accepted),
        Figure("-", "memory that a process gained", "most", grown, len(before), GROWTH_MIB, "MiB", memory),
    ]


def _restart_queue(running: Service, chance: random.Random) -> int:
    running.queue.stop(chance.choice((signal.SIGTERM, signal.SIGKILL)))
    time.sleep(chance.uniform(0.2, 3.0))
    running.queue.start()
    return 1


def _memory_mib(running: Service) -> Iterator[tuple[str, float]]:
    """Resident memory of the processes that are never killed, each with what it started, and of the queue."""
    for name in SPARED:
        for number, process in enumerate(running.members[name].family()):
            try:
                yield f"{name}.{number}", process.memory_info().rss / 2**20
            except psutil.NoSuchProcess:
                continue
