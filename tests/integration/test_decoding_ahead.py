"""Many recordings at once through the whole service: few of them lie decoded, and all of them are done."""

import threading

import numpy as np
from sqlalchemy import text

from streametrics.database.engine import open_engine
from tests.support.media import encode_blocks
from tests.support.stack import Stack, until

RECORDINGS = 6
DECODED = text("SELECT count(*) FROM jobs WHERE state = 'transcribing' AND container = 's16le'")


def test_of_many_recordings_few_lie_decoded_and_all_are_done(fresh: Stack) -> None:
    fresh.start_all()
    # Given recordings of three minutes in a few kilobytes, and somebody who looks at the rows all the time. They are
    # not quite silent: digital silence makes no recording of a chunk.
    upload = encode_blocks((np.full(44_100 * 60, 0.01, np.float32) for _ in range(3)), "flac")
    seen, is_over = [0], threading.Event()

    def look() -> None:
        engine = open_engine(fresh.database_url)
        while not is_over.wait(0.01):
            with engine.connect() as connection:
                seen.append(connection.execute(DECODED).scalar_one())
        engine.dispose()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        jobs = [fresh.submit(upload) for _ in range(RECORDINGS)]
        ends = [fresh.finished(task_id, within_s=120) for task_id in jobs]
    finally:
        is_over.set()
        looking.join()

    assert [end["status"] for end in ends] == ["done"] * RECORDINGS
    assert 1 <= max(seen) <= 2
    until(lambda: fresh.audio_files == [], within_s=10, what="their audio is deleted")
