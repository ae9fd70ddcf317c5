"""Row 20: a thousand pollers, each asking once a second about a job of its own."""

import asyncio
import json
import multiprocessing
import statistics
import time
from collections import Counter
from pathlib import Path

from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import submit
from tests.chaos.service import service
from tests.chaos.sounds import sound

POLLERS, EVERY_S, FOR_S = 1000, 1.0, 30.0
P99_S = 0.25
#: Jobs that are polled: some wait, as in life most do.
JOBS = 20


def run(form: Form, folder: Path) -> list[Figure]:
    """The pollers are a process of their own, so that they do not wait for each other's interpreter."""
    with service(folder) as running, Ledger(folder / "ledger.jsonl") as ledger:
        running.add_api()
        running.wait_until_ready()
        ids = [submit(running, ledger, sound()) for _ in range(JOBS)]
        context = multiprocessing.get_context("spawn")
        answers: multiprocessing.Queue[str] = context.Queue()
        process = context.Process(target=_poll_all, args=(running.apis[0].port, ids, answers))
        process.start()
        found = json.loads(answers.get(timeout=FOR_S + 120))
        process.join()
    seconds, wrong = found["seconds"], Counter(found["wrong"])
    p99 = statistics.quantiles(seconds, n=100)[98]
    note = f"{len(seconds):,} answers in {FOR_S:.0f} s, median {statistics.median(seconds) * 1000:.0f} ms"
    return [
        worst_time(
            "20",
            f"99th percentile of {POLLERS:,} pollers, one poll a second",
            [p99],
            P99_S,
            quick=form.quick,
            note=note,
        ),
        none_of(
            "20", "polls that failed", sum(wrong.values()), len(seconds) + sum(wrong.values()), str(dict(wrong) or "")
        ),
    ]


def _poll_all(port: int, ids: list[str], answers: "multiprocessing.Queue[str]") -> None:
    seconds: list[float] = []
    wrong: list[str] = []

    async def all_of_them() -> None:
        ends_at = time.monotonic() + FOR_S
        await asyncio.gather(
            *(_poller(port, ids[number % len(ids)], number, ends_at, seconds, wrong) for number in range(POLLERS))
        )

    asyncio.run(all_of_them())
    answers.put(json.dumps({"seconds": seconds, "wrong": wrong}))


async def _poller(port: int, task_id: str, number: int, ends_at: float, seconds: list[float], wrong: list[str]) -> None:
    """One connection that stays open; polls are spread over the second as clocks of strangers are."""
    await asyncio.sleep(number / POLLERS * EVERY_S)
    request = f"GET /summarize/status/{task_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (began := time.monotonic()) < ends_at:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(size)
            seconds.append(time.monotonic() - began)
            if not head.startswith(b"HTTP/1.1 200"):
                wrong.append(head[:12].decode())
            await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))
    except (OSError, asyncio.IncompleteReadError) as error:
        wrong.append(type(error).__name__)
    finally:
        writer.close()
