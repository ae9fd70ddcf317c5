"""Joined files and headers that claim too little: where one file ends and the next begins."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.audio.joined import Section, SectionFile, find_sections
from streametrics.audio.pyav import FileDecoder
from tests.support.media import KINDS, encode, mutated, plain_wav, tone

RATE = 16_000


def decoded(data: bytes, demuxer: str) -> tuple[np.ndarray, bool]:
    decoder = FileDecoder(io.BytesIO(data), demuxer)
    samples = np.frombuffer(b"".join(planes[0] for planes in decoder.blocks()), "<i2")
    return samples, decoder.truncated


def loudest_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples.astype(float))))) * RATE / samples.size


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_are_heard_one_after_the_other(kind: str) -> None:
    how = KINDS[kind]
    data = encode(tone(3.0, how.rate_hz), kind) + encode(tone(3.0, how.rate_hz, 1320.0), kind)
    samples, truncated = decoded(data, how.demuxer)
    assert samples.size / RATE == pytest.approx(6.0, abs=0.12)
    assert loudest_hz(samples[: 2 * RATE]) == pytest.approx(440, abs=2)
    assert loudest_hz(samples[-2 * RATE :]) == pytest.approx(1320, abs=2)
    # What a player plays the first file of only is told; what is made to be joined is not.
    assert truncated == (how.demuxer in ("aiff", "caf", "w64", "mov", "flv", "asf"))


@pytest.mark.parametrize("claimed_s", [0.5, 1.0, 5.9])
def test_a_wav_that_claims_less_than_it_holds_is_read_on(claimed_s: float) -> None:
    wav = plain_wav(tone(6.0, 8_000), 8_000, claimed_bytes=round(claimed_s * 16_000))
    samples, truncated = decoded(wav, "wav")
    assert (samples.size, truncated) == (6 * RATE, False)
    assert loudest_hz(samples) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("claimed", [0, 8_000, 0xFFFF_FFFF, 32_000])
def test_the_headers_between_joined_wavs_are_not_heard(claimed: int) -> None:
    silent = np.zeros(16_000, np.float32)
    first, second = plain_wav(silent, RATE, claimed_bytes=claimed), plain_wav(np.zeros(8_000, np.float32), 8_000)
    samples, truncated = decoded(first + second + first, "wav")
    assert samples.size == 3 * RATE
    assert not samples.any()
    assert not truncated


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"xyz "])
def test_chunks_behind_the_sound_are_no_sound(name: bytes) -> None:
    wav = plain_wav(tone(1.0, RATE), RATE)
    samples, truncated = decoded(wav + chunk(name, b"\x7f" * 5001), "wav")
    assert (samples.size, truncated) == (RATE, False)
    joined = wav + chunk(name, b"\x7f" * 5001) + wav
    assert decoded(joined, "wav")[0].size == 2 * RATE


def test_a_few_bytes_of_rubbish_behind_a_wav_are_no_sound() -> None:
    samples, _ = decoded(plain_wav(tone(1.0, RATE), RATE) + b"\xff" * 500, "wav")
    assert samples.size == RATE


def test_a_joined_mp3_is_heard_without_its_pictures() -> None:
    """Given a tag with a picture full of what looks like frames, then nothing of it is heard."""
    mp3 = encode(tone(2.0, 44_100), "mp3")
    picture = b"APIC" + b"\xff\xfb\x90\x00" * 20_000
    size = len(picture)
    tag = b"ID3\3\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + picture
    old_tag = b"TAG" + b"a title".ljust(125, b"\0")
    samples, truncated = decoded(mp3 + old_tag + tag + mp3[mp3.index(b"\xff\xfb") :] + old_tag, "mp3")
    assert samples.size / RATE == pytest.approx(4.0, abs=0.1)
    assert not truncated


def test_a_joined_mp3_whose_first_file_is_cut_is_truncated() -> None:
    mp3 = encode(tone(4.0, 44_100), "mp3")
    assert decoded(mp3[: len(mp3) // 2] + mp3, "mp3")[1]


def test_one_file_is_one_section() -> None:
    for kind, how in KINDS.items():
        data = encode(tone(1.0, how.rate_hz), kind)
        assert find_sections(io.BytesIO(data), how.demuxer, 0, len(data)) == [Section(0, len(data))], kind


def test_a_repeated_header_of_a_stream_that_goes_on_is_no_damage() -> None:
    """A downloader that joins segments may write the header before each; their times go on."""
    data = encode(tone(6.0, 44_100), "mp4-dash")
    fragments = [index for index in range(len(data)) if data[index : index + 4] == b"moof"]
    assert len(fragments) >= 2
    head, at = data[: fragments[0] - 4], fragments[len(fragments) // 2] - 4
    samples, truncated = decoded(data[:at] + head + data[at:], "mov")
    assert samples.size / RATE == pytest.approx(6.0, abs=0.1)
    assert not truncated


WHOLE = {kind: encode(tone(0.5, how.rate_hz), kind) for kind, how in KINDS.items()}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 1 << 32), st.booleans())
def test_the_sections_of_any_damaged_file_tile_it(kind: str, seed: int, is_joined: bool) -> None:
    data = mutated(WHOLE[kind] * (1 + is_joined), seed)
    sections = find_sections(io.BytesIO(data), KINDS[kind].demuxer, 0, len(data))
    assert [section.start for section in sections] == [0, *(section.end for section in sections[:-1])]
    assert sections[-1].end == len(data)
    assert all(section.start < section.end or not data for section in sections)


def test_a_section_reads_as_a_file_of_its_own() -> None:
    section = SectionFile(io.BytesIO(b"0123456789"), Section(2, 7))
    assert section.read(3) == b"234"
    assert section.tell() == 3
    assert section.read() == b"56"
    assert section.seek(-2, io.SEEK_END) == 3
    assert section.read(100) == b"56"
    assert section.seek(-100, io.SEEK_CUR) == 0
    assert section.seek(1000) == 5
    assert section.read(1) == b""
