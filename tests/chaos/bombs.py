"""Files that were made to do harm: a few bytes that unfold to hours, headers that lie, and lists that name other files.

Each is a name, FFmpeg's demuxer for it and its bytes; `canary` and `address` are a file and a server that nobody may
open.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streametrics.audio.sniffing import HEAD_BYTES, sniff
from tests.support.media import encode, encode_blocks, plain_wav, tone

Bomb = tuple[str, str, bytes]


def bombs(canary: Path, port: int) -> list[Bomb]:
    """All of them, harmless to make."""
    return [*_unfolding(), *_lying(), *_pointing(canary, port)]


def _silence(minutes: int, rate_hz: int) -> Iterator[np.ndarray]:
    return (np.zeros(rate_hz * 60, np.float32) for _ in range(minutes))


def _unfolding() -> Iterator[Bomb]:
    yield "twenty minutes of silence in Opus", "ogg", encode_blocks(_silence(20, 48_000), "ogg-opus")
    yield "twenty minutes of silence in FLAC", "flac", encode_blocks(_silence(20, 44_100), "flac")
    yield "ten minutes of silence in MP3", "mp3", encode_blocks(_silence(10, 44_100), "mp3")
    yield "hours at one kilohertz", "wav", plain_wav(np.zeros(4_000_000, np.float32), 1000)
    yield "a video frame of a gigapixel", "mov", _huge_picture(encode(tone(1.0, 44_100), "m4a", with_video=True))
    yield "zeros in gzip", "mp3", gzip.compress(bytes(50_000_000))
    yield "nothing but zeros", "mp3", bytes(5_000_000)


def _huge_picture(data: bytes) -> bytes:
    """The same file, whose video track claims 32,767 by 32,767 points."""
    return data.replace(struct.pack(">HH", 64, 48), struct.pack(">HH", 32_767, 32_767))


def _lying() -> Iterator[Bomb]:
    second = tone(1.0, 16_000)
    wav = plain_wav(second, 16_000)
    yield "37 hours in a second", "wav", plain_wav(second, 16_000, claimed_bytes=37 * 3600 * 32_000)
    yield "4 GB in a second", "wav", plain_wav(second, 16_000, claimed_bytes=0xFFFF_FFF0)
    yield "65,535 channels", "wav", _wav_field(wav, 22, "<H", 65_535)
    yield "a rate of 4 GHz", "wav", _wav_field(wav, 24, "<I", 0xFFFF_FFFF)
    yield "a block of 64 KB", "wav", _wav_field(wav, 32, "<H", 65_535)
    yield "a tag of 256 MB", "mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + encode(tone(1.0, 44_100), "mp3-bare")
    mp4 = encode(tone(1.0, 44_100), "m4a")
    for name in (b"stsz", b"stts", b"stco", b"stsc"):
        at = mp4.index(name) + (12 if name == b"stsz" else 8)
        yield f"an index of 2 billion entries ({name.decode()})", "mov", mp4[:at] + b"\x7f\xff\xff\xff" + mp4[at + 4 :]
    yield "boxes in boxes in boxes", "mov", mp4 + _nested(2_000)
    matroska = encode(tone(1.0, 48_000), "webm-opus")
    yield "an element of 64 PB", "matroska", matroska[:40] + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + matroska[48:]
    flac = encode(tone(1.0, 44_100), "flac")
    yield "a picture of 16 MB that is not there", "flac", b"fLaC\x06\xff\xff\xff" + flac[4:]
    ogg = encode(tone(1.0, 48_000), "ogg-opus")
    yield "a thousand streams at once", "ogg", _many_streams(ogg[: ogg.index(b"OggS", 4)], 1_000) + ogg


def _wav_field(wav: bytes, at: int, layout: str, value: int) -> bytes:
    return wav[:at] + struct.pack(layout, value) + wav[at + struct.calcsize(layout) :]


def _nested(depth: int) -> bytes:
    boxes = b""
    for _ in range(depth):
        boxes = struct.pack(">I", len(boxes) + 8) + b"moov" + boxes
    return boxes


def _many_streams(page: bytes, count: int) -> bytes:
    """The first page again and again, each time of another stream."""
    return b"".join(page[:14] + struct.pack("<I", serial) + page[18:] for serial in range(count))


def _pointing(canary: Path, port: int) -> Iterator[Bomb]:
    address = f"http://127.0.0.1:{port}/a.ts"
    texts = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{canary}\n#EXTINF:2,\n{address}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{canary}'\nfile '{address}'\n",
        "sdp": f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n",
        "dash": f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{address}</BaseURL></MPD>',
    }
    for name, text in texts.items():
        yield f"a list ({name}) of files and addresses", name, text.encode()
        yield f"a list ({name}) that says it is something else", "mov", text.encode()
    yield "a film that refers to others", "mov", _reference_movie(address) + encode(tone(1.0, 44_100), "m4a")
    yield "a film whose sound lies elsewhere", "mov", _data_elsewhere(canary)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _reference_movie(address: str) -> bytes:
    url = address.encode() + b"\0"
    rdrf = _box(b"rdrf", b"\0\0\0\0url " + struct.pack(">I", len(url)) + url)
    return _box(b"moov", _box(b"rmra", _box(b"rmda", rdrf)))


def _data_elsewhere(canary: Path) -> bytes:
    """QuickTime may say that a track's samples are in another file."""
    mp4 = encode(tone(1.0, 44_100), "m4a")
    own = _box(b"url ", b"\0\0\0\1")
    path = str(canary).encode()
    other = _box(b"url ", b"\0\0\0\0file://" + path + b"\0")
    grown = mp4.replace(own, other)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = grown.index(name) - 4
        size = struct.unpack(">I", grown[at : at + 4])[0]
        grown = grown[:at] + struct.pack(">I", size + len(other) - len(own)) + grown[at + 4 :]
    return grown


def as_uploaded(data: bytes, demuxer: str) -> str:
    """The demuxer that an upload of these bytes would be given, else the one that it was made for."""
    return sniff(data[:HEAD_BYTES]) or demuxer
