"""Row 8: work that never ends, in Python and in C with the interpreter's lock held, is ended by the hard limit.

In C with the lock nothing else of its process runs. Recovery on the same machine sees that it lives, and fails the
job at the limit; one on another machine tries it again, and it ends as `worker_lost` after its third run.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import journal
from tests.chaos.figures import QUICK_TOLERANCE, Figure, all_of, none_of
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import status, submit
from tests.chaos.service import Service, service
from tests.chaos.sounds import HANGS, HANGS_IN_C, sound
from tests.support.stack import until

LIMIT_S, SOFT_S = 6.0, 5.0
#: The promise: at the hard limit, 5 s sooner or later.
WITHIN_S = 5.0
SETTINGS = {
    "LEASE_S": "3",
    "MAINTENANCE_INTERVAL_S": "0.5",
    "RESEND_AFTER_S": "3",
    "TASK_TIME_LIMIT_S": str(LIMIT_S),
    "TASK_SOFT_TIME_LIMIT_S": str(SOFT_S),
}
ENDS = {"in Python": HANGS, "in C": HANGS_IN_C}
CODES = {"in Python": ("timed_out",), "in C": ("timed_out", "worker_lost")}
POOLS = ("prefork", "solo")


@dataclass
class Found:
    """What came of each case, by its name."""

    off_s: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    works_again: list[str] = field(default_factory=list)
    files: int = 0
    harm: list[str] = field(default_factory=list)


def run(form: Form, folder: Path) -> list[Figure]:
    found = Found()
    with ThreadPoolExecutor() as both:
        for tried in [both.submit(_try_pool, pool, folder / pool, found) for pool in POOLS]:
            tried.result()
    cases = len(POOLS) * len(ENDS)
    ended = [name for name, code in found.codes.items() if code in CODES[name.partition(" ")[2]]]
    tolerance = QUICK_TOLERANCE if form.quick else 1.0
    worst = max(found.off_s.values(), default=float("inf"))
    note = ", ".join(f"{name} {off_s:+.1f} s" for name, off_s in sorted(found.off_s.items()))
    return [
        all_of("8", "endless work that ends as documented", len(ended), cases, str(found.codes)),
        Figure(
            "8",
            "its last run goes on beyond the hard limit",
            "most",
            worst,
            len(found.off_s),
            WITHIN_S,
            "s",
            note,
            tolerance,
        ),
        all_of("8", "the worker takes the next job", len(found.works_again), cases, ", ".join(found.works_again)),
        none_of("8", "files left over", found.files, cases),
        none_of("8", "jobs lost, changed or doubled by it", len(found.harm), cases),
    ]


def _try_pool(pool: str, folder: Path, found: Found) -> None:
    with service(folder, **SETTINGS) as running, Ledger(folder / "ledger.jsonl") as ledger:
        running.add_api()
        running.add_worker("worker", pool, "live,long,summarise" if pool == "solo" else "live,long")
        if pool != "solo":
            running.add_worker("writer", "threads", "summarise")
        running.wait_until_ready()
        for name, loudness in ENDS.items():
            _try_one(running, ledger, f"{pool} {name}", loudness, found)
        verdict = ledger.judge(journal.read(running.database), expected_codes=frozenset({"timed_out", "worker_lost"}))
        found.harm += verdict.lost + verdict.changed + verdict.twice
        found.files += len(running.audio_files)


def _try_one(running: Service, ledger: Ledger, name: str, loudness: float, found: Found) -> None:
    endless = submit(running, ledger, sound(1.0, loudness))
    body = _end(running, ledger, endless, 60.0)
    found.codes[name] = str(body.get("code", body["status"]))
    times = {entry.event: entry.at for entry in journal.read(running.database) if entry.task_id == endless}
    if "finished" in times and "claimed" in times:
        found.off_s[name] = times["finished"] - times["claimed"] - LIMIT_S
    if not body.get("code"):
        return  # the worker still hangs, and what waits behind it would be refused
    after = submit(running, ledger, sound())
    if _end(running, ledger, after, 60.0)["status"] == "done":
        found.works_again.append(name)


def _end(running: Service, ledger: Ledger, task_id: str, within_s: float) -> dict[str, object]:
    """The final status, or the last one seen; what has died is started again meanwhile, as the supervisor would."""
    last: dict[str, object] = {}

    def look() -> bool:
        for member in running.members.values():
            if not member.is_running:
                running.start(member)
        last.update(status(running, ledger, task_id))
        return last["status"] in ("done", "error")

    try:
        until(look, within_s=within_s, what="the job ends")
    except AssertionError:
        ledger.note("has not ended", task_id=task_id)
    return last
