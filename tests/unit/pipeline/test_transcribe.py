"""How an upload becomes samples and parts, with a decoder and a sink of our own."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
import pytest

from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import SAMPLE_RATE_HZ, to_raw
from streametrics.domain.job import JobKind
from streametrics.domain.transcript import TimeSpan
from streametrics.errors import Interrupted
from streametrics.pipeline import transcribe
from streametrics.settings import Settings

SETTINGS = Settings(_env_file=None, live_max_s=60, part_target_s=30)  # type: ignore[call-arg]


def seconds(count: int) -> list[np.ndarray]:
    """Noise in blocks of a second."""
    numbers = np.random.default_rng(0)
    return [numbers.integers(-8000, 8000, SAMPLE_RATE_HZ).astype(np.int16) for _ in range(count)]


class Decoding:
    """Gives these blocks, and notes how many were asked for."""

    truncated = is_closed = False
    tracks = ()

    def __init__(self, blocks: list[np.ndarray]) -> None:
        self._blocks = blocks
        self.given = 0

    def decode(self, *_: object, **__: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        pass

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks[self.given :]:
            self.given += 1
            yield block


class Reporter:
    """Wants the work to stop at its `stop_at`th question."""

    def __init__(self, stop_at: int = 0) -> None:
        self.asked = 0
        self._stop_at = stop_at

    def check(self) -> None:
        self.asked += 1
        if self.asked == self._stop_at:
            raise Interrupted


def decode(decoding: Decoding, sink: io.BytesIO, reporter: Reporter, kind: JobKind = JobKind.LONG) -> Any:
    return transcribe.decode(
        Path("upload"),
        "wav",
        kind=kind,
        track="auto",
        settings=SETTINGS,
        decoder=cast(AudioDecoder, decoding),
        open_sink=lambda: sink,
        reporter=cast(Any, reporter),
    )


def test_samples_are_written_as_they_come_and_cut_into_parts_that_tile_them() -> None:
    blocks, sink = seconds(70), io.BytesIO()
    written: list[int] = []

    def coming() -> Iterator[np.ndarray]:
        for block in blocks:
            written.append(len(sink.getvalue()) // 2 // SAMPLE_RATE_HZ)
            yield block

    spans = transcribe.store_and_split(coming(), sink, 30.0)

    # Expect each block to be on disk before the next one is asked for
    assert written == list(range(70))
    assert sink.getvalue() == b"".join(map(to_raw, blocks))
    assert len(spans) >= 2
    assert [span.start_s for span in spans] == [0.0, *(span.end_s for span in spans[:-1])]
    assert spans[-1].end_s == 70.0


def test_without_a_sample_there_is_no_part() -> None:
    sink = io.BytesIO()
    assert transcribe.store_and_split([], sink, 30.0) == []
    assert sink.getvalue() == b""


def test_a_long_recording_is_stored_whole_and_its_reporter_asked_once_a_block() -> None:
    blocks, sink, reporter = seconds(90), io.BytesIO(), Reporter()

    cut = decode(Decoding(blocks), sink, reporter)

    assert isinstance(cut, transcribe.SplitRecording)
    assert cut.audio_s == 90.0
    assert all(isinstance(span, TimeSpan) for span in cut.spans)
    assert sink.getvalue() == b"".join(map(to_raw, blocks))
    assert reporter.asked == 90


def test_a_long_recording_can_be_stopped_in_its_middle() -> None:
    decoding, sink = Decoding(seconds(90)), io.BytesIO()
    with pytest.raises(Interrupted):
        decode(decoding, sink, Reporter(stop_at=80))
    assert decoding.given == 80


def test_what_is_short_is_not_stored_and_what_is_too_long_for_a_live_job_neither() -> None:
    sink = io.BytesIO()
    whole = decode(Decoding(seconds(60)), sink, Reporter())
    assert isinstance(whole, transcribe.DecodedUpload)
    assert whole.audio_s == 60.0
    assert decode(Decoding(seconds(90)), sink, Reporter(), JobKind.LIVE) == transcribe.WrongKind(JobKind.LONG)
    assert sink.getvalue() == b""


def test_the_silence_of_a_gap_makes_no_recording_of_a_chunk() -> None:
    """Given a chunk whose stamps leave out five minutes, it stays one; sound of more than a chunk does not."""
    gap, sink = [np.zeros(SAMPLE_RATE_HZ, np.int16)] * 300, io.BytesIO()
    chunk = decode(Decoding([*seconds(10), *gap, *seconds(50)]), sink, Reporter(), JobKind.LIVE)
    assert isinstance(chunk, transcribe.DecodedUpload)
    assert chunk.audio_s == 360.0
    long = [*seconds(10), *gap, *seconds(51)]
    assert decode(Decoding(long), sink, Reporter(), JobKind.LIVE) == transcribe.WrongKind(JobKind.LONG)
    assert isinstance(decode(Decoding(long), sink, Reporter()), transcribe.SplitRecording)


def test_a_chunk_holds_a_bounded_silence() -> None:
    decoding = Decoding([np.zeros(SAMPLE_RATE_HZ, np.int16)] * 2_000)
    assert decode(decoding, io.BytesIO(), Reporter(), JobKind.LIVE) == transcribe.WrongKind(JobKind.LONG)
    assert decoding.given <= 60 + transcribe.MAX_LIVE_SILENCE_S + 1
