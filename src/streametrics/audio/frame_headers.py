"""Reads the headers of frames and tags of formats without a container. No heavy imports: the API process uses it."""

from collections.abc import Callable

#: So many frame headers in a row, each where the one before says, are no accident in other data.
SYNC_CHAIN = 4


def id3_bytes(head: bytes, at: int) -> int | None:
    """Return the size of the ID3v2 tag at `at`, None where there is none. Sizes have seven bits in a byte."""
    tag = head[at : at + 10]
    if len(tag) < 10 or tag[:3] != b"ID3" or tag[3] not in (2, 3, 4) or tag[5] & 0x0F or max(tag[6:]) > 0x7F:
        return None
    footer = 10 if tag[5] & 0x10 else 0
    return 10 + footer + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])


def mp3_frames_from(data: bytes) -> int:
    """Count the MP3 frames that follow each other from the first byte, up to `SYNC_CHAIN`."""
    return chain(data, 0, mp3_frame_bytes)


def chain(head: bytes, at: int, frame_bytes: Callable[[bytes, int], int], enough: int = SYNC_CHAIN) -> int:
    """Count the headers that follow each other from `at`, up to `enough`; 0 where one is missing."""
    for count in range(enough):
        if at + 6 > len(head):
            return count
        size = frame_bytes(head, at)
        if not size:
            # Behind at least two frames, a tag or rubbish at the end of a short file is no contradiction.
            return count if count >= 2 else 0
        at += size
    return enough


_MP3_KBITS = {  # ISO/IEC 11172-3 and 13818-3, by (MPEG-1, layer)
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mp3_frame_bytes(data: bytes, at: int = 0) -> int:
    """Return the length of the MP3 or MP2 frame whose header is at `at`, 0 where no header is.

    Layer I is refused: nobody sends it, and the byte order mark of UTF-16 text looks like it.
    """
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    bitrate, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or bitrate in (0, 15) or rate == 3 or data[at + 3] & 3 == 2:
        return 0
    is_mpeg1 = version == 3
    rate_hz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbits = _MP3_KBITS[is_mpeg1, layer][bitrate - 1]
    bytes_a_kbit = 72_000 if layer == 3 and not is_mpeg1 else 144_000
    return bytes_a_kbit * kbits // rate_hz + (data[at + 2] >> 1 & 1)


def adts_frame_bytes(data: bytes, at: int = 0) -> int:
    """Return the length of the AAC frame whose ADTS header is at `at`, 0 where no header is."""
    if len(data) < at + 6 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 > 12:
        return 0
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return size if size > 7 else 0


_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def _ac3_frame_bytes(data: bytes, at: int) -> int:
    if len(data) < at + 6 or data[at : at + 2] != b"\x0b\x77" or data[at + 5] >> 3 > 10:
        return 0
    rate, code = data[at + 4] >> 6, data[at + 4] & 0x3F
    if rate == 3 or code >= 2 * len(_AC3_KBITS):
        return 0
    kbits = _AC3_KBITS[code >> 1]
    return (4 * kbits, 2 * (kbits * 96_000 // 44_100 + (code & 1)), 6 * kbits)[rate]


def _eac3_frame_bytes(data: bytes, at: int) -> int:
    if len(data) < at + 6 or data[at : at + 2] != b"\x0b\x77" or not 11 <= data[at + 5] >> 3 <= 16:
        return 0
    return 2 * ((data[at + 2] & 7) << 8 | data[at + 3]) + 2


FRAMES: tuple[tuple[str, Callable[[bytes, int], int]], ...] = (
    ("mp3", mp3_frame_bytes),
    ("aac", adts_frame_bytes),
    ("ac3", _ac3_frame_bytes),
    ("eac3", _eac3_frame_bytes),
)
