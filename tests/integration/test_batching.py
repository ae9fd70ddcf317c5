"""Live chunks that wait are taken together, and each of them ends by itself, whatever becomes of the others."""

import os
import re
import signal

import pytest
import requests

from tests.support.gate import GATED, wait_at_gate
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)
LONGER_CHUNK = plain_wav(tone(6.0, 16_000), 16_000)
WITHOUT_SOUND = plain_wav(tone(0.0, 16_000), 16_000)
WORDS = "word0 word1 word2"


def claimed(stack: Stack) -> list[tuple[str, int]]:
    """Each claim on sound in the log, in order: the job's id, and how many were taken at once."""
    found = re.findall(r"job=(\S+) event=claimed stage=transcribe .*together=(\d+)", stack.log())
    return [(task_id, int(together)) for task_id, together in found]


def start_worker(stack: Stack, *, queues: str = "live,long,summarise", pool: str = "solo", name: str = "all"):
    (stack.gate / "open-summary").touch()
    return stack.start_worker(app=GATED, queues=queues, pool=pool, name=name)


def test_chunks_that_wait_are_taken_by_one_claim_and_their_own_messages_do_nothing(fresh: Stack) -> None:
    fresh.start_api()
    # Given chunks that wait, one of them without any sound, and a worker that comes later
    waiting = [fresh.submit(CHUNK) for _ in range(3)]
    mute = fresh.submit(WITHOUT_SOUND)
    start_worker(fresh)
    wait_at_gate(fresh)

    # Expect all of them to be in work at once
    assert sorted(claimed(fresh)) == sorted((task_id, 4) for task_id in [*waiting, mute])
    assert {fresh.status(task_id)["status"] for task_id in waiting} == {"processing"}
    (fresh.gate / "open").touch()
    # And each to have its own end
    assert [fresh.finished(task_id)["result"]["text"] for task_id in waiting] == [WORDS] * 3
    failed = fresh.finished(mute)
    assert (failed["status"], failed["code"]) == ("error", "audio_unreadable")
    until(lambda: fresh.log().count("event=nothing_to_do stage=transcribe") >= 3, within_s=30, what="the messages")
    assert len(claimed(fresh)) == 4
    until(lambda: fresh.audio_files == [], within_s=10, what="their audio is deleted")


def test_a_chunk_that_comes_later_is_taken_to_those_in_work(fresh: Stack) -> None:
    fresh.start_api()
    first = fresh.submit(CHUNK)
    start_worker(fresh)
    wait_at_gate(fresh)
    # Given a chunk that comes while another is in work
    second = fresh.submit(CHUNK)

    (fresh.gate / "open").touch()

    assert [fresh.finished(task_id)["status"] for task_id in (first, second)] == ["done", "done"]
    # Expect its own message to find nothing to do
    until(lambda: "event=nothing_to_do stage=transcribe" in fresh.log(), within_s=30, what="its message")
    assert [task_id for task_id, _ in claimed(fresh)] == [first, second]


def test_a_chunk_that_is_cancelled_leaves_the_others_alone(fresh: Stack) -> None:
    fresh.start_api()
    waiting = [fresh.submit(CHUNK) for _ in range(3)]
    start_worker(fresh)
    wait_at_gate(fresh)

    requests.delete(f"{fresh.url}/summarize/{waiting[1]}", timeout=10).raise_for_status()
    # By the hint or by its next renewal, whichever comes first
    until(lambda: re.search("event=told_to_stop|lease lost", fresh.log()), within_s=60, what="its lease notices")
    (fresh.gate / "open").touch()

    assert [fresh.finished(task_id)["status"] for task_id in waiting] == ["done", "error", "done"]
    assert fresh.status(waiting[1])["code"] == "cancelled"
    # Expect the engine never to have heard of it
    assert len((fresh.gate / "transcribed").read_text().splitlines()) == 6


def test_parts_of_a_recording_are_taken_by_its_first_message(fresh: Stack) -> None:
    # A part that waits for more than a second on a busy machine would be sent again, and its message counted twice.
    fresh.settings |= {"LIVE_MAX_S": "5", "PART_TARGET_S": "2", "RESEND_AFTER_S": "60"}
    fresh.start_api()
    recording = fresh.submit(plain_wav(tone(12.0, 16_000), 16_000))
    start_worker(fresh)
    wait_at_gate(fresh)
    # Given a chunk that comes while the first part is in work
    chunk = fresh.submit(CHUNK)
    (fresh.gate / "open").touch()

    assert fresh.finished(chunk)["result"]["text"] == WORDS
    segments = fresh.finished(recording)["result"]["segments"]

    assert [segment["end"] for segment in segments][-1] == 12.0
    assert [segment["start"] for segment in segments] == sorted(segment["start"] for segment in segments)
    # Expect the chunk's turn to come after that part, and no message but the first to find a part
    parts = len(set(re.findall(r"event=claimed .* part=(\d+)", fresh.log())))
    assert [task_id for task_id, _ in claimed(fresh)] == [recording, recording, chunk, *[recording] * (parts - 1)]
    idle = "event=nothing_to_do stage=transcribe"
    until(lambda: fresh.log().count(idle) == parts, within_s=30, what="the other messages")


def test_a_chunk_that_comes_alone_waits_for_nobody(fresh: Stack) -> None:
    (fresh.gate / "open").touch()
    fresh.start_api()
    start_worker(fresh)

    for _ in range(2):
        assert fresh.finished(fresh.submit(CHUNK))["result"]["text"] == WORDS

    assert [together for _, together in claimed(fresh)] == [1, 1]


def test_taking_together_can_be_turned_off(fresh: Stack) -> None:
    fresh.settings["LIVE_BATCH_MAX"] = "1"
    (fresh.gate / "open").touch()
    fresh.start_api()
    waiting = [fresh.submit(CHUNK) for _ in range(3)]
    start_worker(fresh)

    assert [fresh.finished(task_id)["status"] for task_id in waiting] == ["done"] * 3
    assert [together for _, together in claimed(fresh)] == [1, 1, 1]


def test_chunks_of_a_killed_worker_come_back_and_are_heard_one_by_one(fresh: Stack) -> None:
    fresh.start_api()
    waiting = [fresh.submit(CHUNK) for _ in range(3)]
    worker = start_worker(fresh, name="first")
    wait_at_gate(fresh)

    os.killpg(worker.pid, signal.SIGKILL)
    (fresh.gate / "open").touch()
    start_worker(fresh, name="second")

    assert [fresh.finished(task_id)["result"]["text"] for task_id in waiting] == [WORDS] * 3
    assert sorted(together for _, together in claimed(fresh)) == [1, 1, 1, 3, 3, 3]


def test_a_chunk_that_kills_its_process_takes_its_neighbors_with_it_once(fresh: Stack) -> None:
    (fresh.gate / "open").touch()
    # Given a chunk that is poison where it is longer than the others
    (fresh.gate / "die-at-4").touch()
    fresh.start_api()
    poison = fresh.submit(LONGER_CHUNK)
    neighbors = [fresh.submit(CHUNK) for _ in range(2)]
    start_worker(fresh, queues="live,long", pool="prefork", name="hears")
    fresh.start_worker(name="writes", queues="summarise", pool="threads")

    assert [fresh.finished(task_id, within_s=180)["status"] for task_id in neighbors] == ["done"] * 2
    failed = fresh.finished(poison, within_s=180)
    assert (failed["status"], failed["code"]) == ("error", "worker_lost")
    tries = [together for task_id, together in claimed(fresh) if task_id == poison]
    assert tries == [3, 1, 1]


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_that_is_made_to_stop_gives_all_of_them_back(fresh: Stack, pool: str) -> None:
    fresh.settings["LEASE_S"] = "600"  # so that recovery has no hand in it
    fresh.start_api()
    waiting = [fresh.submit(CHUNK) for _ in range(3)]
    worker = start_worker(fresh, queues="live,long", pool=pool, name="first")
    wait_at_gate(fresh)

    worker.terminate()
    until(lambda: "arm shutdown" in fresh.log(), within_s=30, what="it heard")
    if pool == "prefork":
        worker.send_signal(signal.SIGQUIT)
    else:
        # Its own thread hears of it, and it stops at its next segment.
        (fresh.gate / "open").touch()
    worker.wait(timeout=60)
    assert {fresh.status(task_id)["status"] for task_id in waiting} <= {"pending", "processing"}
    (fresh.gate / "open").touch()
    start_worker(fresh, name="second")

    assert [fresh.finished(task_id)["result"]["text"] for task_id in waiting] == [WORDS] * 3
    # No try was counted, so they may be taken together once more
    assert sorted(claimed(fresh)) == sorted((task_id, 3) for task_id in waiting * 2)
