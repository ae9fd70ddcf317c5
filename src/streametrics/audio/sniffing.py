"""Detects the audio or video container of a file from its first bytes alone. No heavy imports: the API process uses it.

Never asked: the file's name, its declared type, or FFmpeg's own guess. FFmpeg guesses playlists too, and a
playlist names other files and addresses to open; naming the demuxer closes that door.
"""

import struct
from typing import BinaryIO

from streametrics.audio.frame_headers import FRAMES, SYNC_CHAIN, chain, id3_bytes

#: How many bytes `sniff` wants; 12 are enough for most containers.
HEAD_BYTES = 65_536

#: Every name that `sniff` returns: FFmpeg's names of the demuxers that may be used at all.
DEMUXERS = frozenset(
    [
        "aac",
        "ac3",
        "aiff",
        "amr",
        "asf",
        "au",
        "avi",
        "caf",
        "eac3",
        "flac",
        "flv",
        "matroska",
        "mov",
        "mp3",
        "mpeg",
        "mpegts",
        "ogg",
        "w64",
        "wav",
        "wv",
    ]
)

#: An MP3 that was recorded from a running stream begins in the middle of a frame (1,441 bytes at most).
_SYNC_SEARCH_BYTES = 4096
#: A head of at most this many bytes was cut short by the caller, it is not a whole file.
_FEW_BYTES = 64
#: Further behind, in what may be any file.
_FAR_SYNC_CHAIN = 8
#: A head of HTTP is no longer, and a file behind more zeros is not looked for.
MAX_ZERO_BYTES = 1 << 20
#: So many zeros are rubbish; fewer may belong to the file.
MARGIN_BYTES = 16
_LONGEST_RESPONSE = 16_384
#: What a container has in its first bytes, and how many stand before that: enough of it to be no accident.
_MARKS = ((b"WAVEfmt ", 8), (b"OggS\0\2", 0), (b"fLaC\0\0\0\x22", 0), (b"ftyp", 4), (b"\x1a\x45\xdf\xa3", 0))
#: Files that may hold sound among other things: archives, documents, programs, pictures.
_OTHER_FILES = (
    *(b"PK\3\4", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"%PDF", b"{\\rtf"),
    *(
        b"MZ",
        b"\x7fELF",
        b"\xca\xfe\xba\xbe",
        b"\x89PNG",
        b"GIF8",
        b"\xff\xd8\xff",
        b"BM",
        b"SQLite",
        b"\xd0\xcf\x11\xe0",
    ),
)

#: Bytes a second above which sound of a compressed container is rare (256 kbit/s), and those of stereo PCM.
_COMPRESSED_BYTES_PER_S = 32_000
_PCM_BYTES_PER_S = 176_400
_PCM_DEMUXERS = frozenset(("aiff", "au", "caf", "w64", "flac", "wv"))

#: Of WAV: the usual one, big-endian, and two for more than 4 GB.
WAV_MARKS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
W64_HEADER = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_IMAGE_BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"jxl "))
_QUICKTIME_FIRST_BOXES = frozenset((b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot", b"moof", b"styp", b"sidx"))


def sniff(head: bytes) -> str | None:
    """Name the demuxer for a file that begins with `head`; None where it is no audio or video container.

    head: the first bytes, up to `HEAD_BYTES`. Never raises.
    """
    return locate(head)[0]


def locate(head: bytes) -> tuple[str | None, int]:
    """Name the demuxer as `sniff` does, and say at which byte its file begins, behind what does not belong to it."""
    at, starts = _response_bytes(head), [0]
    zeros = len(head[at:]) - len(head[at:].lstrip(b"\0"))
    starts += [at] if at else []
    if zeros >= MARGIN_BYTES:
        # The first byte of a container may be a zero itself, up to three of them.
        starts += [at + zeros - own for own in range(4)]
    for start in starts:
        demuxer = _sniff_exact(head[start:] if start else head)
        if demuxer is not None:
            return demuxer, start
    if head.startswith(_OTHER_FILES):
        return None, 0
    found = _find_header(head)
    return found if found[0] is not None else _find_frames(head)


def read_head(file: BinaryIO) -> tuple[bytes, int]:
    """Read the bytes for `locate` from an open file; returns them, and how many zeros were left out before them."""
    file.seek(0)
    head, zeros = file.read(HEAD_BYTES), 0
    while len(head) == HEAD_BYTES and not head.strip(b"\0") and zeros < MAX_ZERO_BYTES:
        zeros += len(head)
        head = file.read(HEAD_BYTES)
    if zeros:
        zeros += len(head) - len(head.lstrip(b"\0")) - MARGIN_BYTES
        file.seek(zeros)
        head = file.read(HEAD_BYTES)
    return head, zeros


def _sniff_exact(head: bytes) -> str | None:
    if head[:3] == b"ID3":
        return _sniff_after_id3(head)
    return _sniff_magic(head) or _sniff_boxes(head) or _sniff_transport_stream(head) or _sniff_frames(head)


def _response_bytes(head: bytes) -> int:
    """Return the length of a head of HTTP or of a radio's server, which some recorders keep in front of the sound."""
    if not head.startswith((b"HTTP/", b"ICY ")):
        return 0
    ends = [end + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (end := head.find(mark, 0, _LONGEST_RESPONSE)) >= 0]
    return min(ends, default=0)


def _find_header(head: bytes) -> tuple[str | None, int]:
    """Find the beginning of a container behind rubbish, such as the head of a form, or an empty line."""
    for mark, before in _MARKS:
        at = head.find(mark, before + 1, _LONGEST_RESPONSE) - before
        if at > 0 and len(head) - at > _FEW_BYTES:
            demuxer = _sniff_magic(head[at:]) or _sniff_boxes(head[at:])
            if demuxer is not None:
                return demuxer, at
    return None, 0


def is_wav(head: bytes) -> bool:
    """Tell whether a WAV file begins here, in any of its kinds."""
    return head[:4] in WAV_MARKS and head[8:12] == b"WAVE"


def _sniff_magic(head: bytes) -> str | None:
    form = head[8:12]
    if is_wav(head):
        return "wav"
    match head[:4]:
        case b"RIFF" if form == b"AVI ":
            return "avi"
        case b"FORM" if form in (b"AIFF", b"AIFC"):
            return "aiff"
        case b"OggS" if head[4:5] == b"\0":
            return "ogg"
        case b"fLaC":
            return "flac"
        case b"\x1a\x45\xdf\xa3" if len(head) < 64 or b"webm" in head[:4096] or b"matroska" in head[:4096]:
            return "matroska"
        case b"caff" if head[4:6] == b"\0\x01":
            return "caf"
        case b"FLV\x01":
            return "flv"
        case b"\0\0\x01\xba":
            return "mpeg"
        case b".snd" if len(head) >= 8 and 24 <= int.from_bytes(head[4:8], "big") < HEAD_BYTES:
            return "au"
        case b"wvpk":
            return "wv"
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return "amr"
    if len(head) >= 12 and ASF_HEADER.startswith(head[:16]):
        return "asf"
    if len(head) >= 12 and W64_HEADER.startswith(head[:16]):
        return "w64"
    return None


def _sniff_boxes(head: bytes) -> str | None:
    """Detect MP4, M4A, 3GP and QuickTime: a size, then the type of the first box."""
    if len(head) < 12:
        return None
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if kind == b"ftyp":
        return "mov" if 8 <= size <= HEAD_BYTES and head[8:12] not in _IMAGE_BRANDS else None
    # "feelfree" is a text: a box of a size that reads as four letters would be over 500 MB.
    if kind not in _QUICKTIME_FIRST_BOXES or all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head[:4]):
        return None
    return "mov" if size >= 8 or (size in (0, 1) and kind == b"mdat") else None


def _sniff_transport_stream(head: bytes) -> str | None:
    """Detect MPEG-TS: packets of 188 bytes that begin with 0x47, or of 192 with 4 bytes in front (M2TS), or of 204.

    A recording may begin inside of a packet; the row has to be longer then.
    """
    for first, step in ((0, 188), (4, 192), (0, 204)):
        if _is_packets(head, first, step, most=5) >= 3:
            return "mpegts"
    first = head.find(0x47, 1, _LONGEST_RESPONSE)
    while first >= 0:
        if any(_is_packets(head, first, step, most=10) >= 8 for step in (188, 192, 204)):
            return "mpegts"
        first = head.find(0x47, first + 1, _LONGEST_RESPONSE)
    return None


def _is_packets(head: bytes, first: int, step: int, *, most: int) -> int:
    """Count the packets of MPEG-TS that follow each other, up to `most`; 0 where one is missing."""
    at = range(first, min(len(head) - 3, first + most * step), step)
    return len(at) if all(head[i] == 0x47 and head[i + 1] < 0x80 and head[i + 3] & 0x30 for i in at) else 0


def _sniff_after_id3(head: bytes) -> str | None:
    """Detect what follows an ID3 tag: MP3, now and then AAC or FLAC; a picture can fill the whole head."""
    at = 0
    while (size := id3_bytes(head, at)) is not None:
        at += size
    if at == 0:
        return None
    rest = head[at:].lstrip(b"\0")
    if not rest:
        return "mp3"
    return "flac" if rest[:4] == b"fLaC" else _sniff_frames(rest)


def _sniff_frames(head: bytes) -> str | None:
    """Detect formats without a container: a row of frames, each beginning with its own header."""
    for demuxer, frame_bytes in FRAMES:
        # One header alone is little proof, and good enough only where the caller has no more bytes to show.
        if chain(head, 0, frame_bytes) >= (1 if len(head) <= _FEW_BYTES else 2):
            return demuxer
    return None


def _find_frames(head: bytes) -> tuple[str | None, int]:
    """Find MP3 or AAC frames behind the rest of a frame, or behind rubbish; the more of it, the longer their row."""
    for demuxer, frame_bytes in FRAMES[:2]:
        at = head.find(b"\xff", 1)
        while at >= 0:
            wanted = SYNC_CHAIN if at < _SYNC_SEARCH_BYTES else _FAR_SYNC_CHAIN
            if chain(head, at, frame_bytes, wanted) >= wanted:
                return demuxer, at
            at = head.find(b"\xff", at + 1)
    return None, 0


def wav_duration_s(head: bytes, size_bytes: int) -> float | None:
    """Compute the length of a WAV file in seconds; None where `head` does not tell.

    It is taken from the format and the file's real size: the size that a header claims can be anything.
    """
    if _sniff_magic(head) != "wav":
        return None
    order = ">" if head[:4] == b"RIFX" else "<"
    at, bytes_per_s = 12, 0
    while at + 8 <= len(head):
        name, size = struct.unpack_from(order + "4sI", head, at)
        if name == b"data":
            return max(0, size_bytes - at - 8) / bytes_per_s if bytes_per_s else None
        if name == b"fmt " and at + 24 <= len(head):
            kind, channels, rate_hz, claimed, _, bits = struct.unpack_from(order + "HHIIHH", head, at + 8)
            is_pcm = kind in (1, 3, 0xFFFE)
            bytes_per_s = rate_hz * channels * ((bits + 7) // 8) if is_pcm else claimed
        at += 8 + size + (size & 1)
    return None


def guess_is_long(head: bytes, size_bytes: int, limit_s: float) -> bool:
    """Guess whether a file is longer than `limit_s` seconds, without decoding it.

    A guess that picks a queue, no more: quiet Opus can hold ten minutes in what passes for one, and a video
    of one minute looks long. The worker knows after decoding and moves the job where the guess was wrong.
    """
    duration_s = wav_duration_s(head, size_bytes)
    if duration_s is not None:
        return duration_s > limit_s
    is_bulky = sniff(head) in _PCM_DEMUXERS
    return size_bytes > limit_s * (_PCM_BYTES_PER_S if is_bulky else _COMPRESSED_BYTES_PER_S)
