"""Row 4: a sound that kills its process ends after three runs; those that wait or work beside it finish."""

from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import Figure, all_of, none_of
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import submit, wait_for_all
from tests.chaos.service import service
from tests.chaos.sounds import DIES, sound

SETTINGS = {"LEASE_S": "2", "KEEPER_INTERVAL_S": "0.5", "RESEND_AFTER_S": "3"}
MAX_RUNS = 3
NEIGHBORS = 5
ENDS_WITHIN_S = 240.0


def run(form: Form, folder: Path) -> list[Figure]:
    """All are posted before a worker is there, so that it finds them together and may claim them together."""
    rounds = 1 if form.quick else 5
    with service(folder, **SETTINGS) as running, Ledger(folder / "ledger.jsonl") as ledger:
        running.add_api()
        running.wait_until_ready()
        poisonous: list[str] = []
        for _ in range(rounds):
            for number in range(NEIGHBORS):
                submit(running, ledger, sound())
                if number == 2:
                    poisonous.append(submit(running, ledger, sound(1.0, DIES)))
        running.add_worker("worker", "prefork", "live,long")
        running.add_worker("writer", "threads", "summarise", concurrency=4)
        wait_for_all(running, ledger, ENDS_WITHIN_S)
        runs = len(running.runs.read_text().splitlines()) if running.runs.exists() else 0
        verdict = ledger.judge(journal.read(running.database), expected_codes=frozenset({"worker_lost"}))
    most = Figure("4", "runs of a job that kills its process, on average", "most", runs / rounds, 1, MAX_RUNS)
    neighbors = NEIGHBORS * rounds
    note = f"{runs} runs of {rounds}; failed: {dict(verdict.failed)}"
    return [
        most,
        all_of(
            "4",
            "such jobs that end as worker_lost",
            verdict.failed["worker_lost"] if verdict.done == neighbors else 0,
            rounds,
            note,
        ),
        all_of("4", "neighbors that finish", verdict.done, neighbors),
        none_of(
            "4",
            "lost, doubled or changed beside it",
            len(verdict.lost + verdict.twice + verdict.changed + verdict.wrong),
            neighbors,
        ),
    ]
