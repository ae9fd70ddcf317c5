"""Finds the recordings that a command is given, and writes a text for each."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from streametrics.audio import sniffing
from streametrics.audio.decoder import AudioDecoder
from streametrics.domain.job import Warn
from streametrics.errors import AudioUnreadable, EmptyAudio, StreametricsError, UnsupportedAudio, UsageError
from streametrics.pipeline.transcribe import decoding_warnings
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings
from streametrics.text.subtitles import FORMATS, OutputFormat

#: A recording is decoded many times faster than it plays; this stops what hangs.
DECODE_TIMEOUT_S = 3600.0

Taken = TypeVar("Taken")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """Where texts go. target: a file, or for several recordings a folder, that is written instead of printing.

    output: None takes the target's suffix, or text.
    """

    output: OutputFormat | None = None
    target: Path | None = None

    @property
    def output_format(self) -> OutputFormat:
        if self.output is None and self.target is not None:
            return FORMATS.get(self.target.suffix.lower().removeprefix("."), "text")
        return self.output or "text"


def write_texts(
    paths: Sequence[Path],
    options: TextOptions,
    text_of: Callable[[Path, Callable[[str], None]], str],
    *,
    warn: Callable[[str], None],
) -> Iterator[str]:
    """Make the text of each file, and of those in folders; yields what is to be printed, writes what is not.

    text_of: makes the text of one file, in the format asked for; it may warn too. warn: called with what a reader
    should know beside the text. Raises StreametricsError with one sentence: of a single file, at once; of several, once
    all have been tried, as one that is damaged keeps no other from its text.
    """
    has_folder = options.target is not None and options.target.is_dir()
    is_single = len(paths) == 1 and not paths[0].is_dir() and not has_folder
    if is_single and options.target is not None:
        _require_no_recording(options.target)
    if is_single and options.output is None and options.target is not None:
        suffix = options.target.suffix.lower().removeprefix(".")
        if suffix and suffix not in FORMATS:
            raise UsageError(f"'.{suffix}' is no format: end the name in .{', .'.join(FORMATS)}, or give --format.")
    if is_single:
        text = text_of(paths[0], warn)
        if options.target is None:
            yield text
        else:
            _write(options.target, text)
        return
    files = list(files_in(paths, warn))
    if options.target is None:
        raise UsageError("Several files: name a folder for their texts with -o.")
    if options.target.exists() and not has_folder:
        raise UsageError(f"Several files: {options.target} is a file; name a folder for their texts with -o.")
    suffix = "txt" if options.output_format == "text" else options.output_format
    failed: list[str] = []
    for number, (file, target) in enumerate(_targets(files, options.target, suffix), start=1):
        warn(f"{number} of {len(files)}: {file}")
        try:
            _require_no_recording(target)
            _write(target, text_of(file, warn))
        except StreametricsError as error:
            failed.append(str(file))
            warn(str(error))
    if failed:
        others = f" The others' texts lie in {options.target}." if len(failed) < len(files) else ""
        raise AudioUnreadable(f"{len(failed)} of {len(files)} have no text: {', '.join(failed)}.{others}")


def files_in(paths: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Path]:
    """Yield the files named, and of folders those that begin like sound or video, whatever they are called."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        found = [file for file in files if _is_recording(file)]
        if not found:
            raise AudioUnreadable(f"There is no sound or video file in {path}.")
        if left_out := len(files) - len(found):
            warn(f"{left_out} of the {len(files)} files in {path} are no sound or video, and are left out.")
        yield from found


def _is_recording(file: Path) -> bool:
    try:
        demuxer(file)
    except StreametricsError:
        return False
    return True


def _targets(files: Sequence[Path], folder: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Name the text of each file after it; those that would share a name keep their suffix in it."""
    stems = Counter(file.stem for file in files)
    taken: set[str] = set()
    for file in files:
        name = file.stem if stems[file.stem] == 1 else file.name
        number = 1
        while (unique := name if number == 1 else f"{name} {number}") in taken:
            number += 1
        taken.add(unique)
        yield file, folder / f"{unique}.{suffix}"


def _require_no_recording(target: Path) -> None:
    """Look before the work whether a text would take a recording's place. Raises UsageError."""
    if target.is_file() and _is_recording(target):
        raise UsageError(f"{target} is a recording, which is not written over: name another file with -o.")


def _write(target: Path, text: str) -> None:
    """Write a text whole or not at all. Raises StreametricsError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.part")
        unfinished.write_text(text.rstrip("\n") + "\n" if text else "", encoding="utf-8")
        unfinished.replace(target)
    except OSError as error:
        raise StreametricsError(f"{target} cannot be written: {error.strerror or error}.") from error


def demuxer(file: Path) -> str:
    """Find the demuxer of a file by its first bytes. Raises AudioUnreadable, EmptyAudio, UnsupportedAudio."""
    try:
        with file.open("rb") as opened:
            head, _ = sniffing.read_head(opened)
    except OSError as error:
        raise AudioUnreadable(f"{file} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise EmptyAudio
    found = sniffing.sniff(head)
    if found is None:
        raise UnsupportedAudio
    return found


def decode(
    file: Path, track: str, settings: Settings, take: Callable[[VoiceSelection], Taken]
) -> tuple[Taken, tuple[Warn, ...]]:
    """Decode a file as Whisper hears it; returns what `take` makes of its samples, and what a reader should know.

    track: as `audio.tracks.parse_track` says. Raises StreametricsError.
    """
    found = demuxer(file)
    with AudioDecoder() as decoder:
        decoding = decoder.decode(
            file, found, track=track, max_audio_s=settings.max_audio_s, timeout_s=DECODE_TIMEOUT_S
        )
        with decoding:
            sound = VoiceSelection(decoding, track)
            taken = take(sound)
    return taken, decoding_warnings(decoding, sound)
