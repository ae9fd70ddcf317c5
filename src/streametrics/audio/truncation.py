"""Detects that a file was cut off, from the lengths that it states. No heavy imports: the sandbox uses it.

A whole file called truncated is worse than a cut one called whole, so every doubt counts as whole: formats
that give no length, lengths that mean "streamed, unknown", and a few bytes more or less.
"""

from typing import BinaryIO, Literal

from streametrics.audio.frame_headers import adts_frame_bytes, id3_bytes, mp3_frame_bytes

#: Writers miscount by a header or a padding byte; nobody hears the lack of so few bytes.
_SLACK_BYTES = 1024
_TAIL_BYTES = 65_536 + 282  # the longest Ogg page
_HEAD_BYTES = 65_536

_EBML_SEGMENT = b"\x18\x53\x80\x67"
_FRAME_BYTES = {"mp3": mp3_frame_bytes, "aac": adts_frame_bytes}


def lacks_bytes(file: BinaryIO, demuxer: str, size_bytes: int) -> bool:
    """Tell whether the file's structure promises more bytes than there are. Moves the file's position.

    file: opened for reading, seekable. size_bytes: its real size.
    """
    match demuxer:
        case "wav":
            missing = _wav_end(file) - size_bytes
        case "avi" | "aiff":
            missing = _form_end(file, "little" if demuxer == "avi" else "big") - size_bytes
        case "mov":
            missing = _boxes_end(file, size_bytes) - size_bytes
        case "matroska":
            missing = _segment_end(file) - size_bytes
        case "au":
            missing = _au_end(file) - size_bytes
        case "w64":
            file.seek(16)
            missing = int.from_bytes(file.read(8), "little") - size_bytes
        case "ogg":
            return not _ogg_ends(file, size_bytes)
        case _:
            return False
    return missing > (_SLACK_BYTES if demuxer in ("wav", "avi", "aiff", "au", "w64") else 0)


def lacks_end(demuxer: str, last_packet: bytes) -> bool:
    """Tell whether the last packet of a format without a container is shorter than its own header says."""
    frame_bytes = _FRAME_BYTES.get(demuxer)
    return frame_bytes is not None and frame_bytes(last_packet, 0) > len(last_packet)


def mp3_frames_claimed(file: BinaryIO) -> int:
    """Read the number of frames from a Xing or Info frame, 0 where there is none. Moves the position."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(2048)
        size = id3_bytes(head, 0)
        if size is None:
            break
        at += size
    frame = head.lstrip(b"\0")
    if not mp3_frame_bytes(frame):
        return 0
    is_mpeg1, is_mono = frame[1] & 8 != 0, frame[3] >> 6 == 3
    at = 4 + {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[is_mpeg1, is_mono]
    has_count = frame[at : at + 4] in (b"Xing", b"Info") and len(frame) >= at + 12 and frame[at + 7] & 1
    return int.from_bytes(frame[at + 8 : at + 12], "big") if has_count else 0


def _is_streamed(size: int) -> bool:
    """Tell whether a size is one that programs write when they cannot go back to fill in the real one."""
    return size == 0 or size >= 0xFFFF_FF00 or 0x7FFF_F000 <= size <= 0x8000_0000


def _wav_end(file: BinaryIO) -> int:
    file.seek(0)
    riff, at, long_size = file.read(12), 12, 0
    order: Literal["big", "little"] = "big" if riff[:4] == b"RIFX" else "little"
    for _ in range(1000):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return 0
        size = int.from_bytes(header[4:], order)
        if header[:4] == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if header[:4] == b"data":
            size = long_size if size == 0xFFFF_FFFF and long_size else size
            return 0 if _is_streamed(size) else at + 8 + size
        at += 8 + size + (size & 1)
    return 0


def _form_end(file: BinaryIO, order: Literal["big", "little"]) -> int:
    file.seek(4)
    size = int.from_bytes(file.read(4), order)
    return 0 if _is_streamed(size) else 8 + size


def _au_end(file: BinaryIO) -> int:
    file.seek(4)
    start, size = int.from_bytes(file.read(4), "big"), int.from_bytes(file.read(4), "big")
    return 0 if _is_streamed(size) else start + size


def _boxes_end(file: BinaryIO, size_bytes: int) -> int:
    """Find the end of the last top-level box of an MP4; a size of 0 means "to the end of the file"."""
    at = 0
    for _ in range(100_000):  # a fragmented recording of 12 h has a few boxes a second at most
        if at + 8 > size_bytes:
            break
        file.seek(at)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:], "big")
        if not header[4:8].isalnum() or size < 8:
            return 0
        at += size
    return at


def _segment_end(file: BinaryIO) -> int:
    """Find the end of a Matroska file's segment, 0 where its size is unknown, as browsers write it."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    header_bytes, at = _ebml_size(head, 4)
    if header_bytes is None or head[at + header_bytes :][:4] != _EBML_SEGMENT:
        return 0
    size, start = _ebml_size(head, at + header_bytes + 4)
    return start + size if size else 0


def _ebml_size(data: bytes, at: int) -> tuple[int | None, int]:
    """Read an EBML size at `at` (None where unknown or missing), and return the position behind it too."""
    if at >= len(data) or data[at] == 0:
        return None, at
    width = 9 - data[at].bit_length()
    mask = (1 << 7 * width) - 1
    value = int.from_bytes(data[at : at + width], "big") & mask
    return (None if value == mask else value), at + width


def _ogg_ends(file: BinaryIO, size_bytes: int) -> bool:
    """Tell whether an Ogg file's last page is complete, and one near the end is marked as its stream's last."""
    file.seek(max(0, size_bytes - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    at, seen_end, seen_page = tail.find(b"OggS\0"), False, False
    while at >= 0 and at + 27 <= len(tail):
        lacing = tail[at + 27 : at + 27 + tail[at + 26]]
        end = at + 27 + tail[at + 26] + sum(lacing)
        if end > len(tail):
            return False
        seen_page, seen_end = True, seen_end or tail[at + 5] & 4 != 0
        at = tail.find(b"OggS\0", end)
    return seen_end or not seen_page
