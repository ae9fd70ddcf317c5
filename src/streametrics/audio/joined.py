"""Finds the files that were joined into one, end to end, by their structure. No heavy imports: the sandbox uses it.

FFmpeg reads the first file alone of most formats, or takes the header of the next one for sound.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from streametrics.audio.frame_headers import id3_bytes, mp3_frames_from
from streametrics.audio.sniffing import ASF_HEADER, W64_HEADER, WAV_MARKS, is_wav

#: More files than these in one are read as if they were one.
MAX_SECTIONS = 1000
#: So few bytes behind the end are rubbish that a program left there.
_SLACK_BYTES = 1024
_PIECE_BYTES = 1 << 20
#: No file reaches so far, whatever a header says.
_FARTHEST = 1 << 62
#: Chunks that programs write behind the sound; another one whose size leads out of the file is sound that goes on.
_WAV_CHUNKS = frozenset(
    (
        b"LIST",
        b"id3 ",
        b"ID3 ",
        b"bext",
        b"JUNK",
        b"junk",
        b"fact",
        b"cue ",
        b"smpl",
        b"inst",
        b"iXML",
        b"aXML",
        b"axml",
        b"_PMX",
        b"PEAK",
        b"FLLR",
        b"PAD ",
        b"chna",
        b"cart",
        b"DISP",
        b"acid",
        b"plst",
    )
)
#: Of a block's flags: it holds the first channels.
_WAVPACK_FIRST = 0x800


@dataclass(frozen=True, slots=True)
class Section:
    """One file inside a file, in bytes: `start` inclusive, `end` exclusive.

    reads_on: there is more sound than its header says.
    """

    start: int
    end: int
    reads_on: bool = False


def find_sections(file: BinaryIO, demuxer: str, start: int, size_bytes: int) -> list[Section]:
    """Find the files in a file whose first one begins at `start`; one where nothing is joined. Moves the position."""
    sections: list[Section] = []
    at = start
    while at < size_bytes and len(sections) < MAX_SECTIONS - 1:
        section = _first_section(file, demuxer, at, size_bytes)
        sections.append(section)
        at = section.end
    if at < size_bytes:
        sections.append(Section(at, size_bytes))
    return sections or [Section(start, size_bytes)]


class SectionFile(io.RawIOBase):
    """Reads one section as a file of its own."""

    def __init__(self, file: BinaryIO, section: Section) -> None:
        super().__init__()
        self._file, self._section = file, section
        self._at = section.start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._section.end - self._at
        self._file.seek(self._at)
        data = self._file.read(left if size is None or size < 0 else max(0, min(size, left)))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: self._section.start, io.SEEK_CUR: self._at, io.SEEK_END: self._section.end}[whence]
        self._at = min(max(origin + offset, self._section.start), self._section.end)
        return self.tell()

    def tell(self) -> int:
        return self._at - self._section.start


def _first_section(file: BinaryIO, demuxer: str, at: int, size: int) -> Section:
    match demuxer:
        case "wav":
            return _wav_section(file, at, size)
        case "w64" | "aiff" | "caf" | "mov" | "wv":
            return Section(at, min(size, _STRUCTURES[demuxer](file, at, size)))
        case "mp3":
            return Section(at, _next_tag(file, at, size))
        case "flv" | "asf" | "amr":
            marks = {"flv": (b"FLV\x01",), "asf": (ASF_HEADER,), "amr": (b"#!AMR\n", b"#!AMR-WB\n")}[demuxer]
            return Section(at, _find(file, marks, at + 4, size, _is_flv if demuxer == "flv" else _always))
        case _:
            return Section(at, size)


def _always(_: bytes) -> bool:
    return True


def _is_flv(head: bytes) -> bool:
    return head[4:5] in (b"\1", b"\4", b"\5") and head[5:13] == b"\0\0\0\x09\0\0\0\0"


def _find(file: BinaryIO, marks: tuple[bytes, ...], start: int, end: int, check: Callable[[bytes], bool]) -> int:
    """Find the first of these marks whose first bytes pass the check; `end` where there is none."""
    at = start
    while at < end:
        file.seek(at)
        piece = file.read(min(_PIECE_BYTES, end - at))
        hits = sorted(hit for mark in marks for hit in _all(piece, mark))
        for hit in hits:
            file.seek(at + hit)
            if check(file.read(64)):
                return at + hit
        if at + len(piece) >= end or not piece:
            break
        at += len(piece) - 16  # a mark may lie across two pieces
    return end


def _all(piece: bytes, mark: bytes) -> Iterator[int]:
    hit = piece.find(mark)
    while hit >= 0:
        yield hit
        hit = piece.find(mark, hit + 1)


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(min(at, _FARTHEST))
    return file.read(count)


def _wav_section(file: BinaryIO, start: int, size: int) -> Section:
    """Walk the chunks: the next file begins where one would; what is no chunk is sound that goes on."""
    order: Literal["big", "little"] = "big" if _read(file, start, 4) == b"RIFX" else "little"
    at, data_end, long_size = start + 12, 0, 0
    for _ in range(10_000):
        header = _read(file, at, 12)
        if len(header) < 8:
            return Section(start, size)
        if data_end and is_wav(header):
            return Section(start, at)
        length = int.from_bytes(header[4:8], order)
        if header[:4] == b"ds64":
            long_size = int.from_bytes(_read(file, at + 16, 8), "little")
        if header[:4] == b"data" and not data_end:
            length = long_size if length == 0xFFFF_FFFF and long_size else length
            if _is_streamed(length):
                return Section(start, _next_wav(file, at + 8, size))
            if at + 8 + length >= size:
                return Section(start, size)
            data_end = at + 8 + length
        elif data_end and not (header[:4].isascii() and header[:4].decode("ascii").isprintable()):
            if at > data_end and is_wav(_read(file, at - 1, 12)):  # a writer that does not pad
                return Section(start, at - 1)
            return _more_sound(file, start, data_end, size) if size - data_end > _SLACK_BYTES else Section(start, size)
        at += 8 + length + (length & 1)
        if data_end and at > size + _SLACK_BYTES:
            is_cut = header[:4] in (b"data", *_WAV_CHUNKS)
            return Section(start, size) if is_cut else _more_sound(file, start, data_end, size)
    return Section(start, size)


def _more_sound(file: BinaryIO, start: int, data_end: int, size: int) -> Section:
    return Section(start, _next_wav(file, data_end, size), reads_on=True)


def _next_wav(file: BinaryIO, at: int, size: int) -> int:
    return _find(file, WAV_MARKS, at, size, is_wav)


def _is_streamed(size: int) -> bool:
    """Sizes that programs write when they cannot go back to fill in the real one."""
    return size == 0 or size >= 0xFFFF_FF00 or 0x7FFF_F000 <= size <= 0x8000_0000


def _w64_end(file: BinaryIO, at: int, size: int) -> int:
    end = at + int.from_bytes(_read(file, at + 16, 8), "little")
    end += -end % 8 if _read(file, end, 16) != W64_HEADER else 0
    return end if end > at and _read(file, end, 16) == W64_HEADER else size


def _aiff_end(file: BinaryIO, at: int, size: int) -> int:
    length = int.from_bytes(_read(file, at + 4, 4), "big")
    for end in (at + 8 + length, at + 9 + length):
        head = _read(file, end, 12)
        if length and head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
            return end
    return size


def _caf_end(file: BinaryIO, start: int, size: int) -> int:
    at = start + 8
    for _ in range(10_000):
        header = _read(file, at, 12)
        if at > start + 8 and header[:6] == b"caff\0\1":
            return at
        length = int.from_bytes(header[4:], "big")
        if len(header) < 12 or length > size:
            break
        at += 12 + length
    return size


def _mov_end(file: BinaryIO, start: int, size: int) -> int:
    """Walk the boxes: a second `ftyp` begins another file."""
    at = start
    for _ in range(100_000):
        header = _read(file, at, 16)
        length = int.from_bytes(header[:4], "big")
        length = int.from_bytes(header[8:], "big") if length == 1 else length
        if at > start and header[4:8] == b"ftyp" and 8 <= length <= 1024:
            return at
        if len(header) < 8 or length < 8 or at + length > size:
            break
        at += length
    return size


def _wavpack_end(file: BinaryIO, start: int, size: int) -> int:
    """Walk the blocks: where the index of a first channel's does not grow, another file begins."""
    at, last = start, -1
    for _ in range(1_000_000):
        header = _read(file, at, 28)
        if header[:8] == b"APETAGEX":
            at += 32 + int.from_bytes(header[12:16], "little")
            continue
        if len(header) < 28 or header[:4] != b"wvpk":
            break
        index, flags = int.from_bytes(header[16:20], "little"), int.from_bytes(header[24:], "little")
        if flags & _WAVPACK_FIRST and index <= last:
            return at
        last = index if flags & _WAVPACK_FIRST else last
        at += 8 + int.from_bytes(header[4:8], "little")
    return size


_STRUCTURES: dict[str, Callable[[BinaryIO, int, int], int]] = {
    "w64": _w64_end,
    "aiff": _aiff_end,
    "caf": _caf_end,
    "mov": _mov_end,
    "wv": _wavpack_end,
}


def _next_tag(file: BinaryIO, start: int, size: int) -> int:
    """Find the next tag of an MP3 with frames behind it, past the tags at the beginning: another file begins there."""
    at = start
    while (length := id3_bytes(_read(file, at, 10), 0)) is not None:
        at += length

    def is_tag(head: bytes) -> bool:
        here = file.tell() - len(head)
        length = id3_bytes(head, 0)
        return length is not None and mp3_frames_from(_read(file, here + length, 8192).lstrip(b"\0")) >= 2

    return _find(file, (b"ID3",), at + 1, size, is_tag)
