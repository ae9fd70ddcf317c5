"""Measures what streams with a memory cost: the processor's time for each chunk that joins, and how long reads take.

`python -m benchmarks.stream_memory [--chunks 5000] [--streams 1000]` fills a database with one long stream and many
short ones, in the way chunks join them, and then asks a real API. It prints what it finds.
"""

import argparse
import contextlib
import os
import random
import re
import tempfile
import time
from pathlib import Path

import requests
from sqlalchemy import insert

from streametrics.database.chapters import ChapterRecords
from streametrics.database.engine import Database
from streametrics.database.tables import jobs
from streametrics.domain.job import JobKind, JobState
from streametrics.jobs.chapters import ChapterKeeping
from tests.support.stack import stack
from tests.support.streams import Streams, said

#: Words of a chunk of 30 s at 150 words a minute, in segments of about this many.
WORDS, WORDS_IN_SEGMENT = 75, 15
VOCABULARY = [
    f"{first}{second}" for first in ("ro", "kni", "paw", "kin", "be") for second in ("ok", "ght", "n", "g", "st")
]
ASKED = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=5000)
    parser.add_argument("--streams", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as service:
        with contextlib.closing(Database(service.database_url)) as database:
            streams = Streams(database)
            _join_one_by_one(streams, options.chunks)
            _join_many(streams, options.streams)
            _print_size(folder, options.chunks)
        service.start_api()
        long_stream = requests.get(f"{service.url}/v1/streamers/long/stream", timeout=60).json()["id"]
        for path in (
            f"/v1/streams/{long_stream}",
            f"/v1/streams/{long_stream}/coverage",
            f"/v1/streams/{long_stream}/recap?since=3h",
            f"/v1/streams/{long_stream}/chapters",
            f"/v1/streams/{long_stream}/transcript?start=0&end=600",
            "/v1/streams?limit=100",
            "/v1/streamers?limit=100",
            "/v1/search?q=rook+knight",
        ):
            _ask(service.url + path)


def _join_one_by_one(streams: Streams, count: int) -> None:
    """Join a stream's chunks as they come, and compare the first hours with the last ones."""
    keeping = ChapterKeeping(ChapterRecords(streams.database), streams.records, streams.settings)
    joining_ms, chapters_ms, closed = [], [], 0
    for number in range(count):
        _insert(streams, "long", number)
        began = time.process_time()
        joined = streams.join()
        joining_ms.append((time.process_time() - began) * 1000)
        assert joined == 1
        began = time.process_time()
        closed += keeping.round()
        chapters_ms.append((time.process_time() - began) * 1000)
    hour = min(120, count // 4)
    for what, costs_ms in (("joining", joining_ms), ("chapters", chapters_ms)):
        # Chapters are looked at with every second chunk, and closing one costs most: so means, not medians.
        first, last = costs_ms[hour : 2 * hour], costs_ms[-hour:]
        print(f"processor time of a chunk, {what}: {sum(costs_ms) / count:.2f} ms (mean of {count})")
        print(f"hour 2 and the last one: {sum(first) / hour:.2f} and {sum(last) / hour:.2f} ms")
    print(f"{closed} chapters were closed")


def _join_many(streams: Streams, count: int) -> None:
    for number in range(count):
        _insert(streams, f"streamer {number}", 0)
        if number % 400 == 399:
            streams.join()
    streams.join()


def _insert(streams: Streams, streamer: str, number: int) -> None:
    chosen = random.Random(f"{streamer} {number}")  # noqa: S311
    words = [chosen.choice(VOCABULARY) for _ in range(WORDS)]
    cuts = range(0, WORDS, WORDS_IN_SEGMENT)
    parts = [said(" ".join(words[at : at + WORDS_IN_SEGMENT]), start=at * 0.4, word_s=0.39) for at in cuts]
    segments = [part.to_json()["segments"][0] for part in parts]
    row = {
        "task_id": f"{abs(hash(streamer)) % 10**12}-{number}",
        "owner": "local",
        "kind": JobKind.LIVE,
        "state": JobState.DONE,
        "streamer": streamer,
        "language": "en",
        "game": "Chess",
        "time_raw": f"{number // 120:02}:{number // 2 % 60:02}:{number % 2 * 30:02}",
        "title": "Finale",
        "audio_s": 30.0,
        "received_at": time.time(),
        "finished_at": time.time(),
        "transcript": {"language": "en", "segments": segments},
        "joins_stream": True,
    }
    with streams.database.write() as connection:
        connection.execute(insert(jobs).values(row))


def _print_size(folder: str, chunks: int) -> None:
    size = sum(path.stat().st_size for path in Path(folder).rglob("streametrics.db*"))
    print(f"database: {size / 1e6:.0f} MB with all jobs, of which {chunks / 120:.0f} hours are one stream")


def _ask(url: str) -> None:
    def once(session: requests.Session) -> float:
        began = time.perf_counter()
        session.get(url, timeout=60).raise_for_status()
        return (time.perf_counter() - began) * 1000

    with requests.Session() as session:
        first = once(session)
        took = sorted(once(session) for _ in range(ASKED))
    path = re.sub("strm_[0-9a-f]+", "ID", url.partition("/v1")[2])
    print(f"GET /v1{path}: first {first:.1f} ms, p50 {_median(took):.1f}, p99 {took[int(ASKED * 0.99)]:.1f}")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    os.umask(0o077)
    main()
