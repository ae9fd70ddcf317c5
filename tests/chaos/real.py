"""Row 3: workers with the real engine and the settings that users have are killed in the middle of a chunk."""

import os
import signal
import time
from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.kills import Hit, since_kills
from tests.chaos.ledger import Ledger
from tests.chaos.load import submit, wait_for_all
from tests.chaos.service import REAL, ROOT, Member, Service, service
from tests.support.stack import until

#: 26 s of speech, which comes with the service.
CHUNK = ROOT / "src" / "streametrics" / "transcription" / "trial.ogg"
BACK_S, RUNS_S = 13.0, 20.0
WORKERS = ("first", "second")
READY_S = 300.0


def run(form: Form, folder: Path) -> list[Figure]:
    """One chunk at a time, two warm workers; the one that takes it is killed, and the other is free."""
    kills = min(form.kills, 3 if form.quick else 50)
    hits: list[Hit] = []
    engine = os.environ.get("WHISPER_ENGINE", "auto")
    with (
        service(folder, WHISPER_ENGINE=engine, SUMMARIZER="extractive") as running,
        Ledger(folder / "ledger.jsonl") as ledger,
    ):
        running.add_api()
        for name in WORKERS:
            running.add_worker(name, "prefork", "live,long", app=REAL)
        running.add_worker("writer", "threads", "summarise", app=REAL)
        running.wait_until_ready(READY_S)
        while len(hits) < kills:
            submit(running, ledger, CHUNK.read_bytes())
            hit = _kill_the_holder(running, ledger, whole=len(hits) % 2 == 0)
            if hit is not None:
                hits.append(hit)
            wait_for_all(running, ledger, 120.0)
            running.wait_until_ready(READY_S)
            form.progress(f"{len(hits)} of {kills} kills")
        entries = journal.read(running.database)
        verdict = ledger.judge(entries)
        left = len(running.audio_files)
        engine = running.engine()
    harm = verdict.lost + verdict.twice + verdict.changed + verdict.wrong + verdict.fell
    note = f"{engine}; {verdict.accepted} accepted, {verdict.done} done, every second kill one of a child alone"
    back, runs = (list(since_kills(hits, entries, event)) for event in ("freed", "claimed"))
    return [
        none_of("1", "jobs lost, doubled or changed over kills with the real engine", len(harm), kills, note),
        none_of("8", "files left over", left, kills),
        worst_time("3", "a killed worker's job is back in the queue", back, BACK_S, quick=form.quick),
        worst_time("3", "it runs, where a warm worker is free", runs, RUNS_S, quick=form.quick),
    ]


def _kill_the_holder(running: Service, ledger: Ledger, *, whole: bool) -> Hit | None:
    """Wait for the claim and kill who has it; None when it was quicker than we are."""

    def holder() -> Member | None:
        held = [running.members[name] for name in WORKERS if journal.held_by(running.database, name)]
        return held[0] if held else None

    victim = until(holder, within_s=60, what="somebody takes the chunk")
    held = journal.held_by(running.database, victim.name)
    if not held:
        return None
    if whole:
        victim.send_group(signal.SIGKILL)
    else:
        for pid in victim.pool_children():
            os.kill(pid, signal.SIGKILL)
    at = ledger.note("killed", victim=victim.name, whole=whole)
    if whole:
        time.sleep(1.0)
        running.start(victim)
    return Hit(at, "worker" if whole else "child", held)
