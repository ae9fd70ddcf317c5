"""Cutting a recording into parts, and its samples on disk."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.audio import decoder, pcm, pyav, sandbox
from streametrics.audio.pcm import read_pcm, to_float32, to_raw
from streametrics.audio.silence_splitter import LATEST_CUT, SHORTEST_REST, RecordingPart, SilenceSplitter

RATE = pcm.SAMPLE_RATE_HZ


def noise(duration_s: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-8000, 8000, round(duration_s * RATE)).astype(np.int16)


def in_blocks(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[start : start + size] for start in range(0, samples.size, size)]


def cut_points(blocks: Iterable[np.ndarray], target_s: float = 60.0) -> list[RecordingPart]:
    """The parts of a whole recording that arrives in blocks."""
    splitter = SilenceSplitter(target_s)
    return [part for block in blocks for part in splitter.feed(block)] + splitter.finish()


@settings(max_examples=60, deadline=None)
@given(
    duration_s=st.floats(0, 40),
    target_s=st.floats(2, 9),
    block=st.integers(1, 60_000),
    pauses=st.lists(st.floats(0, 40), max_size=12),
    seed=st.integers(0, 5),
)
def test_parts_tile_the_sound_whatever_the_blocks(
    duration_s: float, target_s: float, block: int, pauses: list[float], seed: int
) -> None:
    samples = noise(duration_s, seed)
    for pause in pauses:
        samples[round(pause * RATE) :][:6400] = 0
    parts = cut_points(in_blocks(samples, max(block, samples.size // 500)), target_s)

    assert [part.start for part in parts] == [0, *(part.end for part in parts)][: len(parts)]
    assert (parts[-1].end if parts else 0) == samples.size
    longest = LATEST_CUT * target_s * RATE
    assert all(part.end - part.start <= longest for part in parts[:-1])
    assert all(part.end - part.start >= 0.75 * target_s * RATE - 320 for part in parts[:-1])
    assert all(0 < part.end - part.start <= longest + SHORTEST_REST * target_s * RATE for part in parts[-1:])
    assert parts == cut_points([samples], target_s)


def test_a_cut_is_made_in_the_pause() -> None:
    samples = noise(150)
    samples[round(52.0 * RATE) : round(52.5 * RATE)] = 0
    samples[round(110.0 * RATE) : round(110.4 * RATE)] //= 100

    first, second, third = cut_points(in_blocks(samples, RATE))

    assert 52.0 < first.end_s < 52.5
    assert 110.0 < second.end_s < 110.4
    assert third == RecordingPart(second.end, samples.size)


def test_of_equally_quiet_places_the_one_nearest_to_the_target_is_taken() -> None:
    first, *_ = cut_points([np.zeros(100 * RATE, np.int16)])
    assert first.end_s == pytest.approx(60, abs=0.02)


@pytest.mark.parametrize(("duration_s", "parts"), [(0, 0), (0.2, 1), (74.9, 1), (75, 1), (76, 2)])
def test_a_short_recording_is_one_part(duration_s: float, parts: int) -> None:
    samples = noise(duration_s)
    samples[round(50 * RATE) :][:6400] = 0
    assert len(cut_points([samples])) == parts


def test_a_short_rest_joins_the_part_before() -> None:
    samples = noise(80)
    samples[round(70 * RATE) :][:9600] = 0
    assert cut_points(in_blocks(samples, 1000)) == [RecordingPart(0, samples.size)]


def test_a_part_is_told_as_soon_as_it_is_certain() -> None:
    cutter, samples = SilenceSplitter(8), noise(30)
    told_at = [second for second, block in enumerate(in_blocks(samples, RATE), 1) if cutter.feed(block)]
    assert told_at[0] == 11  # the latest cut is at 10 s, and a quarter of the target behind the cut is long past
    assert len(cutter.finish()) >= 1


def test_the_cutters_memory_does_not_grow_with_the_recording() -> None:
    cutter, block = SilenceSplitter(10), noise(1)
    for _ in range(2000):
        cutter.feed(block)
    assert len(cutter._energies) <= 14 * 50


def test_a_target_below_two_seconds_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 s"):
        SilenceSplitter(1)


def test_what_was_written_can_be_read_by_ranges(tmp_path: Path) -> None:
    samples, path = noise(5), tmp_path / "sound.pcm"
    with path.open("wb") as file:
        for block in in_blocks(samples, 7000):
            file.write(to_raw(block))

    assert path.stat().st_size == 2 * samples.size
    heard = read_pcm(path, 1.5, 2.25)
    assert heard.dtype == np.float32
    assert np.array_equal(heard, to_float32(samples[24_000:36_000]))
    assert np.array_equal(read_pcm(path), to_float32(samples))
    with path.open("rb") as file:
        assert np.array_equal(read_pcm(file, 4.0, 99.0), to_float32(samples[64_000:]))
        assert read_pcm(file, 7.0, 8.0).size == 0
        assert read_pcm(file, 2.0, 1.0).size == 0


def test_a_range_is_read_without_the_rest_of_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "twelve_hours.pcm"
    with path.open("wb") as file:
        file.truncate(12 * 3600 * RATE * 2)  # a hole: no disk is used
    assert read_pcm(path, 40_000, 40_001).size == RATE


def test_samples_become_floats_between_minus_one_and_one() -> None:
    assert to_float32(np.array([-32_768, 0, 16_384], np.int16)).tolist() == [-1.0, 0.0, 0.5]


def test_both_sides_of_the_pipe_agree() -> None:
    assert pyav.SAMPLE_RATE_HZ == pcm.SAMPLE_RATE_HZ
    assert sandbox.RECORD_HEADER.format == decoder.RECORD_HEADER.format
