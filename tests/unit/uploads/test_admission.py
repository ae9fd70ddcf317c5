"""What is taken in: the disk's floor, what waits, the uploads at once; with a disk and a clock of our own."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName
from streametrics.errors import StorageFull, TooBusy
from streametrics.settings import Settings
from streametrics.uploads.admission import VALID_S, Admission
from streametrics.uploads.disk_space import DiskSpace, Reservation

MB = 1_000_000


class Disk:
    """A disk that counts."""

    def __init__(self, free: int) -> None:
        self.free = free

    def look(self) -> int:
        return self.free

    def write(self, space: Reservation, size: int) -> None:
        with space.writing(size):
            self.free -= size


@given(
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["begin", "write", "end"]), st.integers(0, 400)), max_size=60)
)
def test_the_floor_is_kept_whatever_uploads_announce_and_send(steps: list[tuple[int, str, int]]) -> None:
    # Given a disk with 1,000 bytes and a floor of 300, and uploads that lie about their length
    disk = Disk(1000)
    floor = DiskSpace(300, disk.look)
    uploads: dict[int, Reservation] = {}
    for number, action, size in steps:
        # When they begin, write and end in any order
        with contextlib.suppress(StorageFull):
            if action == "begin" and number not in uploads:
                uploads[number] = floor.reserve(size)
            elif action == "write" and number in uploads:
                disk.write(uploads[number], size)
            elif action == "end" and number in uploads:
                uploads.pop(number).release()
        # Expect the floor to be kept at any time
        assert disk.free >= 300
    for space in uploads.values():
        space.release()
    # Expect nothing to be set aside in the end
    floor.reserve(disk.free - 300)


def test_what_is_announced_is_there_until_it_is_written() -> None:
    disk = Disk(1000)
    floor = DiskSpace(300, disk.look)
    first = floor.reserve(600)
    with pytest.raises(StorageFull):
        floor.reserve(101)
    disk.write(first, 600)
    with pytest.raises(StorageFull):
        floor.reserve(101)
    floor.reserve(100)


def test_a_disk_that_others_fill_stops_an_upload_on_its_way() -> None:
    disk = Disk(1000)
    space = DiskSpace(300, disk.look).reserve(600)
    disk.write(space, 300)
    disk.free -= 200
    with pytest.raises(StorageFull, match="MIN_FREE_DISK_MB"):
        disk.write(space, 300)


class Queue:
    """What waits, counted by how often it is looked at."""

    def __init__(self, **live: float) -> None:
        self.backlogs = {QueueName.LIVE: Backlog(**live)}  # type: ignore[arg-type]
        self.looks = 0
        self.now = 0.0

    def look(self) -> dict[QueueName, Backlog]:
        self.looks += 1
        return self.backlogs

    def admission(self, **settings: int) -> Admission:
        made = Settings(_env_file=None, min_free_disk_mb=0, **settings)  # type: ignore[arg-type]
        return Admission(made, self.look, lambda: 10 * MB, clock=lambda: self.now)


def refused(admission: Admission) -> str | None:
    try:
        asyncio.run(admission.check_upload())
    except TooBusy as error:
        return str(error)
    return None


def test_an_old_live_chunk_closes_the_door_until_it_is_taken() -> None:
    queue = Queue(count=1, oldest_s=29.0)
    admission = queue.admission()
    assert refused(admission) is None
    queue.backlogs, queue.now = {QueueName.LIVE: Backlog(1, 31.0)}, VALID_S
    assert "31 s" in (refused(admission) or "")
    queue.backlogs, queue.now = {QueueName.LIVE: Backlog()}, 2 * VALID_S
    assert refused(admission) is None


def test_recordings_that_wait_long_close_nothing() -> None:
    queue = Queue()
    queue.backlogs[QueueName.LONG] = Backlog(100, 5000.0)
    assert refused(queue.admission()) is None


def test_too_much_that_waits_closes_the_door() -> None:
    queue = Queue(count=6, oldest_s=1.0)
    queue.backlogs[QueueName.SUMMARIZE] = Backlog(4, 1.0)
    assert "MAX_WAITING" in (refused(queue.admission(max_waiting=10)) or "")
    assert refused(queue.admission(max_waiting=11)) is None


def test_a_repetition_is_let_pass_and_asked_after_only_where_it_would_be_refused() -> None:
    queue, asked = Queue(count=10, oldest_s=1.0), list[str]()

    async def check(admission: Admission, key: str) -> None:
        async def is_repetition() -> bool:
            asked.append(key)
            return key == "known"

        await admission.check_upload(is_repetition)

    asyncio.run(check(queue.admission(), "new"))
    assert asked == []
    busy = queue.admission(max_waiting=10)
    asyncio.run(check(busy, "known"))
    with pytest.raises(TooBusy, match="MAX_WAITING"):
        asyncio.run(check(busy, "new"))
    # Uploads are as many at once as ever
    full = queue.admission(max_waiting=10, max_uploads=1)
    with full.upload(1), pytest.raises(TooBusy, match="MAX_UPLOADS"):
        asyncio.run(check(full, "known"))


def test_a_flood_is_one_look_a_second() -> None:
    queue = Queue()
    admission = queue.admission()

    async def flood() -> None:
        await asyncio.gather(*(admission.check_upload() for _ in range(500)))

    asyncio.run(flood())
    assert queue.looks == 1


def test_so_many_uploads_at_once_and_no_more() -> None:
    admission = Queue().admission(max_uploads=2)
    with admission.upload(1), admission.upload(None):
        assert "MAX_UPLOADS" in (refused(admission) or "")
        with pytest.raises(TooBusy), admission.upload(1):
            pass
    assert refused(admission) is None
    with pytest.raises(StorageFull), admission.upload(11 * MB):
        pass
    with admission.upload(9 * MB):
        assert refused(admission) is None
