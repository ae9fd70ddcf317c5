"""The book that judges a chaos run, kept by the process that nobody kills.

Two witnesses write into it. The driver, as a client: each id that was accepted, before anything else is done with it,
and each status that was read. The database: a journal that triggers write in the same transaction as the change itself
(`journal`), so that no kill can come between an effect and its entry.
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

FINAL = ("done", "error")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the database's journal says of one change. `effect`: what was stored for good, if anything was."""

    task_id: str
    at: float
    event: str
    state: str
    attempt: int = 0
    part_index: int | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who came to harm. All but the counts are lists of ids, and have to be empty."""

    accepted: int
    done: int
    failed: Counter[str]
    #: Accepted, and without a final state that its client can read.
    lost: list[str]
    #: A transcript or a result that was stored twice.
    twice: list[str]
    #: Another answer after a final one, whoever saw it.
    changed: list[str]
    #: Failed for a reason that this run may not cause, with its code.
    wrong: list[str]
    #: Progress that went back.
    fell: list[str]

    @property
    def holds(self) -> bool:
        return not (self.lost or self.twice or self.changed or self.wrong or self.fell)


@dataclass(slots=True)
class _Account:
    finals: list[str] = field(default_factory=list)
    code: str | None = None
    is_done: bool = False
    progress: int = 0
    fell: bool = False
    unknown: bool = False


class Ledger:
    """Written line by line and never rewritten. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}
        self._open: dict[str, None] = {}

    def accepted(self, task_id: str) -> None:
        """To be called before anything else is done with the id."""
        self._write("accepted", task_id=task_id)
        with self._lock:
            self._accounts[task_id] = _Account()
            self._open[task_id] = None

    def seen(self, task_id: str, http_status: int, body: dict[str, Any]) -> bool:
        """What a poll answered; True when that is final."""
        with self._lock:
            account = self._accounts[task_id]
            if http_status in (404, 410):
                account.unknown = True
                return False
            if body.get("status") not in FINAL:
                progress = int(body.get("progress", 0))
                account.fell = account.fell or progress < account.progress
                account.progress = max(progress, account.progress)
                if account.finals:
                    account.finals.append(f"no longer final: {body.get('status')}")
                return False
            digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
            is_news = digest not in account.finals
            if is_news:
                account.finals.append(digest)
            account.is_done = body["status"] == "done"
            account.code = body.get("code")
            self._open.pop(task_id, None)
        if is_news:
            self._write("final", task_id=task_id, status=body["status"], code=account.code, digest=digest)
        return True

    def note(self, event: str, **facts: object) -> float:
        """Anything else worth a line, such as a kill; returns its time, seconds since 1970."""
        return self._write(event, **facts)

    @property
    def open(self) -> list[str]:
        """Accepted ids whose final state was not seen yet, oldest first."""
        with self._lock:
            return list(self._open)

    @property
    def ids(self) -> list[str]:
        with self._lock:
            return list(self._accounts)

    def judge(self, journal: Iterable[Entry], *, expected_codes: frozenset[str] = frozenset()) -> Verdict:
        """Who came to harm, as client and database saw it. expected_codes: failures that this run may cause."""
        with self._lock:
            accounts = dict(self._accounts)
        entries = list(journal)
        stored = Counter((e.task_id, e.event, e.part_index) for e in entries if e.event in ("transcribed", "finished"))
        touched = {e.task_id for e in entries if e.event == "touched"}
        endings = [account for account in accounts.values() if account.finals]
        return Verdict(
            accepted=len(accounts),
            done=sum(account.is_done for account in endings),
            failed=Counter(str(account.code) for account in endings if not account.is_done),
            lost=[i for i, account in accounts.items() if not account.finals or account.unknown],
            twice=sorted({task_id for (task_id, _, _), count in stored.items() if count > 1}),
            changed=sorted({i for i, account in accounts.items() if len(account.finals) > 1} | touched),
            wrong=[
                f"{i}: {account.code}"
                for i, account in accounts.items()
                if account.finals and not account.is_done and account.code not in expected_codes
            ],
            fell=[i for i, account in accounts.items() if account.fell],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _write(self, event: str, **facts: object) -> float:
        at = time.time()
        with self._lock:
            self._file.write(json.dumps({"at": round(at, 3), "event": event, **facts}) + "\n")
            self._file.flush()
        return at
