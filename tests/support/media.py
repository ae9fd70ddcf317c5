"""Makes sound files of every kind for tests, with PyAV's encoders and no ffmpeg program, and spoils them."""

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Kind:
    """A container and codec that tests make: FFmpeg's muxer, encoder and rate, and the demuxer to be told."""

    muxer: str
    codec: str
    demuxer: str
    rate_hz: int = 44_100
    options: tuple[tuple[str, str], ...] = ()
    layout: str = "mono"
    codec_options: tuple[tuple[str, str], ...] = ()


KINDS = {
    "wav": Kind("wav", "pcm_s16le", "wav"),
    "wav-float": Kind("wav", "pcm_f32le", "wav", 48_000),
    "rf64": Kind("wav", "pcm_s16le", "wav", options=(("rf64", "always"),)),
    "w64": Kind("w64", "pcm_s16le", "w64"),
    "aiff": Kind("aiff", "pcm_s16be", "aiff"),
    "caf": Kind("caf", "pcm_s16le", "caf"),
    "au": Kind("au", "pcm_s16be", "au"),
    "mp3": Kind("mp3", "libmp3lame", "mp3"),
    "mp3-bare": Kind("mp3", "libmp3lame", "mp3", options=(("write_xing", "0"), ("id3v2_version", "0"))),
    "mp2": Kind("mp2", "mp2", "mp3", 48_000),
    "m4a": Kind("ipod", "aac", "mov"),
    "mp4": Kind("mp4", "aac", "mov"),
    "mp4-fragmented": Kind("mp4", "aac", "mov", options=(("movflags", "frag_keyframe+empty_moov"),)),
    "mp4-dash": Kind(
        "mp4", "aac", "mov", options=(("movflags", "empty_moov+default_base_moof"), ("frag_duration", "1000000"))
    ),
    "adts": Kind("adts", "aac", "aac", 48_000),
    "ogg-opus": Kind("ogg", "libopus", "ogg", 48_000),
    "ogg-vorbis": Kind("ogg", "vorbis", "ogg", layout="stereo", codec_options=(("strict", "experimental"),)),
    "flac": Kind("flac", "flac", "flac"),
    "webm-opus": Kind("webm", "libopus", "matroska", 48_000),
    "webm-live": Kind("webm", "libopus", "matroska", 48_000, (("live", "1"),)),
    "mkv-aac": Kind("matroska", "aac", "matroska", 48_000),
    "avi-mp3": Kind("avi", "libmp3lame", "avi"),
    "flv-aac": Kind("flv", "aac", "flv"),
    "mpegts-aac": Kind("mpegts", "aac", "mpegts", 48_000),
    "mpeg-mp2": Kind("vob", "mp2", "mpeg", 48_000),
    "asf-wma": Kind("asf", "wmav2", "asf", layout="stereo", codec_options=(("b", "96000"),)),
    "amr": Kind("amr", "libopencore_amrnb", "amr", 8000),
    "ac3": Kind("ac3", "ac3", "ac3", 48_000),
    "eac3": Kind("eac3", "eac3", "eac3", 48_000),
    "wavpack": Kind("wv", "wavpack", "wv"),
    "mka-tta": Kind("matroska", "tta", "matroska"),
    "wav-g722": Kind("wav", "g722", "wav", 16_000),
}


def tone(duration_s: float, rate_hz: int, frequency_hz: float = 440.0, level: float = 0.3) -> Samples:
    """A sine, shape (samples,)."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def encode(samples: Samples, kind: str, *, with_video: bool = False, with_audio: bool = True) -> bytes:
    """The bytes of a file that holds `samples` (mono, at the kind's rate)."""
    return encode_blocks(iter([samples]), kind, with_video=with_video, with_audio=with_audio)


def encode_blocks(blocks: Iterator[Samples], kind: str, *, with_video: bool = False, with_audio: bool = True) -> bytes:
    """As `encode`, of a sound too long to hold."""
    how, file = KINDS[kind], io.BytesIO()
    with av.open(file, "w", format=how.muxer, options=dict(how.options)) as container:
        video = container.add_stream("mpeg4", rate=10) if with_video else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = None
        if with_audio:
            stream = container.add_stream(
                how.codec, rate=how.rate_hz, layout=how.layout, options=dict(how.codec_options)
            )
        seconds = 0.0
        for block in blocks:
            seconds += block.size / how.rate_hz
            if stream is not None:
                _encode_audio(container, stream, block, how.rate_hz)
        if stream is not None:
            container.mux(stream.encode(None))
        if video is not None:
            for index in range(max(1, round(seconds * 10))):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index % 256, np.uint8), format="rgb24")
                picture.pts, picture.time_base = index, Fraction(1, 10)
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
    return file.getvalue()


def _encode_audio(container, stream, block: Samples, rate_hz: int) -> None:
    step = 48_000
    for start in range(0, block.size, step):
        frame = av.AudioFrame.from_ndarray(block[None, start : start + step], format="flt", layout="mono")
        frame.sample_rate = rate_hz
        frame.pts = None
        for packet in stream.encode(frame):
            container.mux(packet)


@dataclass(frozen=True)
class Track:
    """A sound track to be written: pieces of samples, shape (samples,) or (channels, samples), each with its start."""

    pieces: tuple[tuple[float, Samples], ...]
    title: str = ""
    language: str = ""


def encode_tracks(*tracks: Track, kind: str, video_from_s: float | None = None) -> bytes:
    """The bytes of a file with these tracks, in this order, behind a video track that begins then (None: no video).

    Nothing is written where a track has no piece, as by a recorder that pauses.
    """
    how, file = KINDS[kind], io.BytesIO()
    with av.open(file, "w", format=how.muxer, options=dict(how.options)) as container:
        packets = []
        video = None if video_from_s is None else container.add_stream("mpeg4", rate=10)
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        streams = [_add_track(container, how, track) for track in tracks]
        if video is not None and video_from_s is not None:
            for index in range(30):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format="rgb24")
                picture.pts, picture.time_base = round(video_from_s * 10) + index, Fraction(1, 10)
                packets += video.encode(picture)
            packets += video.encode(None)
        for stream, track in zip(streams, tracks, strict=True):
            packets += _packets(stream, track, how.rate_hz)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return file.getvalue()


def _add_track(container, how: Kind, track: Track):
    is_mono = track.pieces[0][1].ndim == 1
    layout = "mono" if is_mono else {2: "stereo", 6: "5.1"}[len(track.pieces[0][1])]
    stream = container.add_stream(how.codec, rate=how.rate_hz, layout=layout, options=dict(how.codec_options))
    stream.metadata.update({"title": track.title} if track.title else {})
    stream.metadata.update({"language": track.language} if track.language else {})
    return stream


def _packets(stream, track: Track, rate_hz: int) -> list:
    packets = []
    for start_s, samples in track.pieces:
        planes = np.atleast_2d(samples)
        for at in range(0, planes.shape[1], 960):
            data = np.ascontiguousarray(planes[:, at : at + 960])
            frame = av.AudioFrame.from_ndarray(data, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = round(start_s * rate_hz) + at
            packets += stream.encode(frame)
    return packets + stream.encode(None)


def plain_wav(samples: Samples, rate_hz: int = 44_100, *, claimed_bytes: int | None = None) -> bytes:
    """Mono, 16 bits, a header of 44 bytes, as the browser extension writes it; its size can be a lie."""
    data = (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()
    claimed = len(data) if claimed_bytes is None else claimed_bytes
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    head = b"RIFF" + struct.pack("<I", min(0xFFFF_FFFF, claimed + 36)) + b"WAVE"
    return head + form + b"data" + struct.pack("<I", claimed) + data


def mutated(data: bytes, seed: int) -> bytes:
    """A damaged copy, the same for the same seed: bytes changed, cut out, doubled, or the end cut off."""
    chance, spoiled = random.Random(seed), bytearray(data)
    for _ in range(chance.choice((1, 3, 10, 50, 300))):
        # Headers are where damage is interesting, so every second place is near the beginning.
        limit = len(spoiled) if chance.random() < 0.5 else min(len(spoiled), 600)
        at = chance.randrange(max(1, limit))
        match chance.randrange(6):
            case 0 | 1 | 2:
                spoiled[at : at + 1] = bytes([chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))])
            case 3:
                spoiled[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1")
                )
            case 4:
                del spoiled[at : at + chance.randrange(1, 40)]
            case 5:
                spoiled[at:at] = spoiled[at : at + chance.randrange(1, 40)]
        if not spoiled:
            break
    return bytes(spoiled[: chance.randrange(1, len(spoiled) + 1)] if spoiled and chance.random() < 0.2 else spoiled)
