"""Which container a file is, by its first bytes."""

import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.audio.sniffing import DEMUXERS, HEAD_BYTES, guess_is_long, sniff, wav_duration_s
from tests.support.media import KINDS, encode, plain_wav, tone

NOT_SOUND = {
    "nothing": b"",
    "text": b"Hello, this is a text and no sound at all.\n" * 50,
    "text in UTF-16": "Hello, this is a text".encode("utf-16"),
    "long text in UTF-16": ("Hello, this is a text\n" * 900).encode("utf-16"),
    "text in UTF-16, big-endian": b"\xfe\xff" + "Hello, this is a text".encode("utf-16-be"),
    "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
    "JSON": b'{"status": "error"}',
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1",
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0",
    "GIF": b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff",
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 ",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "ZIP": b"PK\3\4\x14\0\0\0\x08\0abcdefgh",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3abcdef",
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "ELF": b"\x7fELF\2\1\1\0" + bytes(8),
    "Windows program": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0",
    "Java class": b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d",
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n",
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "SDP": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=audio 5004 RTP/AVP 0\r\n",
    "SRT": b"1\n00:00:00,000 --> 00:00:02,000\nHello\n",
    "WebVTT": b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n",
    "ASS": b"[Script Info]\nScriptType: v4.00+\n",
    "DASH": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "script": b"#!/bin/sh\nrm -rf /\n",
    "a text that reads like a box": b"feelfree to send this text as if it were a film",
    "a text that reads like a tag": b"ID3 tags are explained below, in this long text.",
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "a playlist of QuickTime's": b"SMILtext\0\0\0\0",
    "EBML of another kind": b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88notsound" + bytes(80),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_file_is_recognised(kind: str) -> None:
    data = encode(tone(2, KINDS[kind].rate_hz), kind)
    assert sniff(data[:HEAD_BYTES]) == KINDS[kind].demuxer
    assert KINDS[kind].demuxer in DEMUXERS


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"mpegts-aac"}))  # its mark comes once in 188 bytes
def test_twelve_bytes_are_enough(kind: str) -> None:
    data = encode(tone(1, KINDS[kind].rate_hz), kind)
    assert sniff(data[:12]) == KINDS[kind].demuxer


@pytest.mark.parametrize("name", NOT_SOUND)
def test_other_files_are_refused(name: str) -> None:
    assert sniff(NOT_SOUND[name]) is None
    if not name.startswith("EBML"):  # its kind is told behind the first twelve bytes
        assert sniff(NOT_SOUND[name][:12]) is None


def test_a_picture_in_the_tag_of_an_mp3_may_fill_the_head() -> None:
    size = 200_000
    tag = b"ID3\3\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + b"APIC" + bytes(HEAD_BYTES)
    assert sniff(tag[:HEAD_BYTES]) == "mp3"


@pytest.mark.parametrize(("kind", "expected"), [("mp3-bare", "mp3"), ("flac", "flac"), ("adts", "aac")])
def test_a_tag_stands_in_front_of_several_formats(kind: str, expected: str) -> None:
    data = encode(tone(1, KINDS[kind].rate_hz), kind)
    assert sniff(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + data) == expected


@pytest.mark.parametrize("kind", ["mp3-bare", "adts"])
def test_a_recording_may_begin_in_the_middle_of_a_frame(kind: str) -> None:
    data = encode(tone(2, KINDS[kind].rate_hz), kind)
    assert sniff(data[137:]) == KINDS[kind].demuxer


def test_old_quicktime_files_begin_with_other_boxes() -> None:
    assert sniff(b"\0\0\0\x08wide\0\0\x10\0mdat" + bytes(100)) == "mov"
    assert sniff(b"\0\0\x03\xe8moov\0\0\0\x6cmvhd" + bytes(100)) == "mov"
    assert sniff(b"\0\0\0\1mdat\0\0\0\0\0\x20\0\0" + bytes(100)) == "mov"


def test_random_bytes_are_not_taken_for_sound() -> None:
    chance = random.Random(7)
    taken = [sniff(chance.randbytes(4096)) for _ in range(2000)]
    # With a frame's mark in front, where only the next frame can tell.
    taken += [sniff(b"\xff" + bytes([chance.choice((0xFB, 0xF3, 0xF1))]) + chance.randbytes(4096)) for _ in range(2000)]
    assert [kind for kind in taken if kind] == []


@settings(max_examples=500)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_judged_without_an_error(head: bytes) -> None:
    assert sniff(head) in DEMUXERS | {None}
    assert guess_is_long(head, len(head), 60) is False
    assert wav_duration_s(head, len(head)) is None or head[8:12] == b"WAVE"


@settings(max_examples=300)
@given(st.text(min_size=1, max_size=200))
def test_text_is_never_sound(text: str) -> None:
    # These few beginnings are marks of their containers although they can be typed; the decoder finds nothing there.
    marks = ("RIFF", "RIFX", "RF64", "BW64", "FORM", "OggS", "fLaC", "caff", "FLV\x01", ".snd", "wvpk", "#!AMR")
    if not text.startswith(marks):
        assert sniff(text.encode()) is None
    assert sniff(text.encode("utf-16")) is None


def test_a_wav_is_as_long_as_its_bytes_not_as_its_claim() -> None:
    wav = plain_wav(tone(1.0, 16_000), 16_000, claimed_bytes=37 * 3600 * 32_000)
    assert wav_duration_s(wav[:HEAD_BYTES], len(wav)) == pytest.approx(1.0)


def test_the_duration_is_found_behind_other_chunks() -> None:
    wav = plain_wav(tone(2.0, 8000), 8000)
    with_list = wav[:12] + b"LIST" + struct.pack("<I", 5) + b"abcde\0" + wav[12:]
    assert wav_duration_s(with_list, len(with_list)) == pytest.approx(2.0)


@pytest.mark.parametrize("damage", [(16, 8), (22, 2), (24, 4), (36, 4)])
def test_a_damaged_header_tells_no_duration(damage: tuple[int, int]) -> None:
    wav = bytearray(plain_wav(tone(0.1, 8000), 8000))
    wav[damage[0] : damage[0] + damage[1]] = bytes(damage[1])
    assert wav_duration_s(bytes(wav), len(wav)) is None


def test_the_extensions_chunk_is_live_and_a_recording_is_long() -> None:
    chunk = plain_wav(np.zeros(44_100 * 30, np.float32))
    assert guess_is_long(chunk[:HEAD_BYTES], len(chunk), 60) is False
    assert guess_is_long(chunk[:HEAD_BYTES], 88_200 * 61, 60) is True
    opus = encode(tone(1, 48_000), "ogg-opus")
    assert guess_is_long(opus, 400_000, 60) is False
    assert guess_is_long(opus, 2_000_000, 60) is True
    assert guess_is_long(encode(tone(1, 44_100), "flac"), 5_000_000, 60) is False


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, streametrics.audio.sniffing; print([m for m in ('av', 'numpy', 'pydantic') if m in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "[]"
