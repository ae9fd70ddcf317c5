"""A rolling restart under load: each process is asked to stop and started again, and no client notices."""

import signal
import time
from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.service import Service, service

SETTINGS = {"LIVE_MAX_S": "3", "PART_TARGET_S": "2", "LEASE_S": "10", "MAINTENANCE_INTERVAL_S": "1"}
#: As long as the supervisor's own stop sequence: 8 s of SIGTERM, 3 s of SIGQUIT.
STOPS_WITHIN_S = 11.0
DRAIN_S = 120.0


def run(form: Form, folder: Path) -> list[Figure]:
    rounds = 1 if form.quick else 4
    stops: list[float] = []
    killed: list[str] = []
    with service(folder, **SETTINGS) as running, Ledger(folder / "ledger.jsonl") as ledger:
        running.add_api("api1")
        running.add_api("api2")
        running.add_worker("first", "prefork", "live,long")
        running.add_worker("second", "solo", "live,long,summarise")
        running.add_worker("writer", "threads", "summarise", concurrency=4)
        running.wait_until_ready()
        with Load(running, ledger, in_flight=8, seed=form.seed) as load:
            for _ in range(rounds):
                for member in list(running.members.values()):
                    stops.append(_replace(running, member.name, killed))
                    form.progress(f"{len(stops)} processes replaced, {len(ledger.ids)} accepted")
            load.drain(DRAIN_S)
            load.read_all_again()
        entries = journal.read(running.database)
        verdict = ledger.judge(entries)
        unfinished = journal.unfinished(running.database)
        left = len(running.audio_files)
    again = [entry for entry in entries if entry.event == "freed"]
    note = f"{verdict.accepted} accepted, {verdict.done} done; refused: {dict(load.refused) or 'none'}"
    harm = {*verdict.lost, *verdict.twice, *verdict.changed, *verdict.wrong, *verdict.fell, *unfinished}
    count = len(stops)
    return [
        none_of("1", "jobs lost, doubled, changed, failed or fallen back in a rolling restart", len(harm), count, note),
        none_of("1", "jobs left half done, whose lease had to run out", len(again), count),
        none_of("1", "processes that had to be killed", len(killed), count, ", ".join(killed)),
        none_of("8", "files left over", left, count),
        worst_time("-", "a process has stopped after SIGTERM", stops, STOPS_WITHIN_S, quick=form.quick),
    ]


def _replace(running: Service, name: str, killed: list[str]) -> float:
    """Ask it to stop, wait, start it again, wait until it works; returns how long the stop took."""
    member = running.members[name]
    began = time.monotonic()
    member.send(signal.SIGTERM)
    assert member.process is not None
    while member.is_running and time.monotonic() - began < 60.0:
        time.sleep(0.05)
    took_s = time.monotonic() - began
    if member.is_running:
        killed.append(name)
    running.start(member)
    running.wait_until_ready()
    return took_s
