"""A chunk beside a recording that is being decoded: it waits for nothing but its own turn at the engine."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, cast

import numpy as np
import pytest

from streametrics.audio.decoder import CHUNK_LIMIT, AudioDecoder, ComputingLimit
from streametrics.audio.pcm import Pcm
from streametrics.audio.tracks import Track
from streametrics.domain.job import JobKind, JobRequest, JobState, QueueName
from streametrics.errors import StorageFull
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore
from streametrics.summarization.fake import FakeSummarizer
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.engines.fake import FakeTranscriber
from streametrics.worker.runner import Worker
from tests.support.jobs import Jobs
from tests.support.media import encode_blocks, plain_wav, tone
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)
#: A WAV file of chunks that hold nothing, which FFmpeg reads one by one.
EMPTY_CHUNKS = plain_wav(tone(0.0, 16_000), 16_000)[:36] + (b"JUNK" + bytes(4)) * 200_000
REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
SECOND = np.ones(16_000, np.int16)


class Batching(FakeTranscriber):
    """Takes requests until it is told that none waits now, and only then transcribes those that it has."""

    def transcribe_batch(self, sounds: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        held: list[TranscriptionRequest] = []
        ended = 0
        for sound in sounds:
            if sound is not None:
                held.append(sound)
                continue
            if not held:
                return
            for _, outcome in super().transcribe_batch(held):
                yield ended, outcome
                ended += 1
            held.clear()
        yield from ((ended + number, outcome) for number, outcome in super().transcribe_batch(held))


class RecordingDecoder:
    """Decodes `seconds` of sound, and does something in the middle of it."""

    truncated = is_closed = False
    tracks: tuple[Track, ...] = ()

    def __init__(self, seconds: int, midway: Callable[[], None]) -> None:
        self._seconds, self._midway, self._given = seconds, midway, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        pass

    def decode(self, *_: object, **__: object) -> Self:
        return self

    def interrupt(self) -> None:
        pass

    def __iter__(self) -> Iterator[Pcm]:
        while self._given < self._seconds:
            self._given += 1
            yield SECOND
            if self._given == self._seconds // 2:
                self._midway()


@pytest.fixture
def settings(fresh: Stack) -> Settings:
    return fresh.own_settings(min_free_disk_mb=0)


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    with contextlib.closing(Jobs(settings)) as made:
        yield made


def accept(jobs: Jobs, kind: JobKind, data: bytes = CHUNK, container: str = "wav") -> str:
    sound = jobs.connections.audio.writer()
    sound.write(data)
    return jobs.service.accept(REQUEST, kind=kind, audio_key=sound.commit(), container=container)


@contextlib.contextmanager
def worker(
    jobs: Jobs,
    recording: RecordingDecoder | None = None,
    *,
    engine: type[FakeTranscriber] = FakeTranscriber,
    settings: Settings | None = None,
) -> Iterator[Worker]:
    with AudioDecoder(CHUNK_LIMIT) as decoder:
        yield Worker(
            settings or jobs.settings,
            jobs.lifecycle,
            make_summarizer=lambda model: FakeSummarizer(),
            transcriber=engine(),
            decoder=decoder,
            open_decoder=None if recording is None else lambda: cast(AudioDecoder, recording),
        )


def is_transcribed(jobs: Jobs, task_id: str) -> bool:
    return jobs.service.status(task_id).state is JobState.TRANSCRIBED


@pytest.mark.parametrize("engine", [FakeTranscriber, Batching])
@pytest.mark.parametrize("seconds", [90, 20], ids=["in parts", "in one piece"])
def test_chunks_that_come_while_a_recording_is_decoded_are_transcribed_before_it_is(
    jobs: Jobs, engine: type[FakeTranscriber], seconds: int
) -> None:
    chunks: list[str] = []

    # Given a recording whose decoding does not go on before two chunks, which come midway, have their words
    def midway() -> None:
        chunks.extend(accept(jobs, JobKind.LIVE) for _ in range(2))
        until(lambda: all(is_transcribed(jobs, chunk) for chunk in chunks), within_s=30, what="the chunks' words")

    recording = accept(jobs, JobKind.LONG)
    with worker(jobs, RecordingDecoder(seconds, midway), engine=engine) as running:
        running.transcribe(recording, "w")

    assert [is_transcribed(jobs, chunk) for chunk in chunks] == [True, True]
    waiting = jobs.connections.backlog.by_queue()[QueueName.LONG].count
    assert (is_transcribed(jobs, recording), waiting) == ((False, 2) if seconds == 90 else (True, 0))


def test_a_worker_that_is_asked_to_stop_leaves_a_recording_at_once_and_nothing_of_it(
    jobs: Jobs, settings: Settings
) -> None:
    recording = accept(jobs, JobKind.LONG)
    reached = threading.Event()

    class Stuck(RecordingDecoder):
        def __init__(self) -> None:
            super().__init__(200, self.wait)
            self.interrupted = threading.Event()

        def wait(self) -> None:
            reached.set()
            assert self.interrupted.wait(30)

        def interrupt(self) -> None:
            self.interrupted.set()

    with worker(jobs, Stuck()) as running:
        thread = threading.Thread(target=running.transcribe, args=(recording, "w"))
        thread.start()
        assert reached.wait(30)
        assert len(list((settings.data_dir / "audio").glob("*.partial"))) == 1
        running.stopping.set()
        thread.join(30)

    # Expect the job to wait again, its upload to be there, and its samples to be gone
    assert not thread.is_alive()
    assert jobs.connections.backlog.by_queue()[QueueName.LONG].count == 1
    assert [path.suffix for path in (settings.data_dir / "audio").iterdir()] == [""]


def test_a_recording_for_which_there_is_no_room_waits_and_fails_at_last(fresh: Stack, settings: Settings) -> None:
    floored = settings.model_copy(update={"min_free_disk_mb": 500, "max_attempts": 2})
    with contextlib.closing(Jobs(floored)) as jobs:
        audio = floored.data_dir / "audio"
        # Given a disk with a megabyte above the floor, and three minutes of sound in a few bytes
        small = AudioStore(audio, free_bytes=lambda: 502_000_000 - sum(path.stat().st_size for path in audio.iterdir()))
        jobs.lifecycle.audio = small
        silence = encode_blocks((np.zeros(44_100 * 60, np.float32) for _ in range(3)), "flac")
        recording = accept(jobs, JobKind.LONG, silence, "flac")

        with worker(jobs, settings=floored) as running:
            running.transcribe(recording, "w")
            assert jobs.service.status(recording).error_code is None
            assert jobs.connections.backlog.overdue(QueueName.LONG, 0.0, 1) == [], "not before its time"
            assert len(list(audio.iterdir())) == 1, "the upload alone"
            with jobs.connections.database.write() as connection:
                connection.exec_driver_sql("UPDATE jobs SET not_before = not_before - 31")
            running.transcribe(recording, "w")

        assert jobs.service.status(recording).error_code == StorageFull.code
        assert list(audio.iterdir()) == []


def test_a_chunk_that_takes_too_long_to_decode_goes_where_nobody_waits(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = accept(jobs, JobKind.LIVE, EMPTY_CHUNKS)

    with worker(jobs) as running:
        assert running._transcribe_stage is not None
        monkeypatch.setattr(running._transcribe_stage._decoder, "_limit", ComputingLimit(0.1, per_block=False))
        running.transcribe(chunk, "w")
        waiting = jobs.connections.backlog.by_queue()
        assert (waiting[QueueName.LIVE].count, waiting[QueueName.LONG].count) == (0, 1)
        running.transcribe(chunk, "w")

    assert jobs.service.status(chunk).error_code == "audio_unreadable"
