"""Row 6: the queue is stopped and killed under load; every worker consumes again, and nothing is lost."""

import random
import signal
import time
from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.service import Service, service

SETTINGS = {
    "LEASE_S": "3",
    "MAINTENANCE_INTERVAL_S": "0.5",
    "RESEND_AFTER_S": "4",
    "LIVE_MAX_S": "3",
    "PART_TARGET_S": "2",
}
PROMISED_S = 15.0
#: A worker that has taken nothing for so long after the queue's return is deaf, in seconds.
DEAF_AFTER_S = 60.0
DRAIN_S = 120.0


def run(form: Form, folder: Path) -> list[Figure]:
    """Each worker has a queue of its own, so that one which went deaf cannot hide behind another."""
    restarts = 5 if form.quick else 20
    chance = random.Random(form.seed)
    seconds: list[float] = []
    deaf: list[str] = []
    dead: list[str] = []
    with service(folder, **SETTINGS) as running, Ledger(folder / "ledger.jsonl") as ledger:
        running.add_api()
        running.add_worker("live", "prefork", "live")
        running.add_worker("long", "solo", "long")
        running.add_worker("writer", "threads", "summarise", concurrency=4)
        running.wait_until_ready()
        with Load(running, ledger, in_flight=12, seed=form.seed, recordings=0.4) as load:
            for number in range(restarts):
                _wait_for_claims(running, time.time())
                back = _restart(running, ledger, chance)
                claims = _wait_for_claims(running, back)
                seconds += [at - back for at in claims.values()]
                dead += _revive(running)
                deaf += [f"{name} after restart {number + 1}" for name in _names(running) - claims.keys()]
                form.progress(f"{number + 1} of {restarts} restarts, {len(ledger.ids)} accepted, deaf: {deaf}")
            load.drain(DRAIN_S)
            load.read_all_again()
        verdict = ledger.judge(journal.read(running.database))
        unfinished = journal.unfinished(running.database)
    note = f"{verdict.accepted} accepted, {verdict.done} done, {dict(verdict.failed) or 'none'} failed"
    harm = {*verdict.lost, *verdict.twice, *verdict.changed, *verdict.wrong, *unfinished}
    limits = {"limit_s": PROMISED_S, "quick": form.quick}
    return [
        worst_time("6", "each worker consumes again after the queue returns", seconds, **limits),
        none_of("6", "workers that went deaf", len(deaf), restarts, ", ".join(deaf)),
        none_of("6", "processes that died of the queue's absence", len(dead), restarts, "; ".join(dead)),
        none_of("6", "jobs lost, changed, doubled or failed by it", len(harm), restarts, note),
    ]


def _restart(running: Service, ledger: Ledger, chance: random.Random) -> float:
    """Stopped in order or killed, away for a while; returns when it was back, seconds since 1970."""
    number = chance.choice((signal.SIGTERM, signal.SIGKILL))
    away_s = chance.uniform(0.2, 4.0)
    running.queue.stop(number)
    time.sleep(away_s)
    running.queue.start()
    return ledger.note("queue restarted", signal=number.name, away_s=round(away_s, 1))


def _wait_for_claims(running: Service, since: float) -> dict[str, float]:
    """When each worker took something for the first time after `since`."""
    found: dict[str, float] = {}
    deadline = time.monotonic() + DEAF_AFTER_S
    while time.monotonic() < deadline and found.keys() != _names(running):
        for entry in journal.read(running.database, since=since):
            if entry.event == "claimed" and entry.worker:
                found.setdefault(entry.worker.partition("@")[0], entry.at)
        time.sleep(0.2)
    return found


def _revive(running: Service) -> list[str]:
    """Start again what died, so that it cannot be told deaf at the next restart too; its last words."""
    words = []
    for member in running.members.values():
        if not member.is_running:
            words.append(f"{member.name}: {running.tail(member, 1)[-200:]}")
            running.start(member)
    if words:
        running.wait_until_ready()
    return words


def _names(running: Service) -> set[str]:
    return {member.name for member in running.workers}
