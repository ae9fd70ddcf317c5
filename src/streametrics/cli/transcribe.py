"""Runs `python -m streametrics transcribe FILE…`: transcripts without any server."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from streametrics.audio import sniffing
from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import read_pcm
from streametrics.audio.tracks import AUTO
from streametrics.domain.job import Warn
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, TranscriptPart, merge_transcripts
from streametrics.domain.warnings import transcript_warnings
from streametrics.errors import AudioUnreadable, EmptyAudio, StreametricsError, UnsupportedAudio, UsageError
from streametrics.pipeline.transcribe import decoding_warnings, store_and_split
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings
from streametrics.text import languages
from streametrics.text.subtitles import FORMATS, OutputFormat, render
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber

#: A recording is decoded many times faster than it plays; this stops what hangs.
DECODE_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What is asked for. language: what is spoken, as a code or a name. track: as `audio.tracks.parse_track` says.

    target: a file, or for several recordings a folder, that is written instead of printing. output: None takes the
    target's suffix, or text.
    """

    language: str | None = None
    output: OutputFormat | None = None
    target: Path | None = None
    track: str = AUTO

    @property
    def output_format(self) -> OutputFormat:
        if self.output is None and self.target is not None:
            return FORMATS.get(self.target.suffix.lower().removeprefix("."), "text")
        return self.output or "text"


def run(
    settings: Settings, paths: Sequence[Path], options: TranscribeOptions, *, warn: Callable[[str], None]
) -> Iterator[str]:
    """Transcribe files, and those in folders; yields each text that is to be printed.

    warn: called with what a reader should know beside the text. Raises StreametricsError with one sentence: of a single
    file, at once; of several, once all have been tried, as one that is damaged keeps no other from its text.
    """
    has_folder = options.target is not None and options.target.is_dir()
    is_single = len(paths) == 1 and not paths[0].is_dir() and not has_folder
    if is_single and options.target is not None:
        _require_no_recording(options.target)
    if is_single and options.output is None and options.target is not None:
        suffix = options.target.suffix.lower().removeprefix(".")
        if suffix and suffix not in FORMATS:
            raise UsageError(f"'.{suffix}' is no format: end the name in .{', .'.join(FORMATS)}, or give --format.")
    transcription = _Transcription(settings, options)
    if is_single:
        text = transcription.text_of(paths[0], warn)
        if options.target is None:
            yield text
        else:
            _write(options.target, text)
        return
    files = list(_files_in(paths, warn))
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
            _write(target, transcription.text_of(file, warn))
        except StreametricsError as error:
            failed.append(str(file))
            warn(str(error))
    if failed:
        names = ", ".join(failed)
        raise AudioUnreadable(
            f"{len(failed)} of {len(files)} have no text: {names}. The others' texts lie in {options.target}."
        )


def _files_in(paths: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Path]:
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
        _demuxer(file)
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


class _Transcription:
    """Transcribes one file after another; the model is loaded for the first that can be read."""

    def __init__(self, settings: Settings, options: TranscribeOptions) -> None:
        self._settings = settings
        self._options = options
        self._language = languages.parse_spoken(options.language or "", settings.whisper_model)

    def text_of(self, file: Path, warn: Callable[[str], None]) -> str:
        """Transcribe a file into the format asked for. Raises StreametricsError."""
        demuxer = _demuxer(file)
        with tempfile.TemporaryDirectory(prefix="streametrics-") as folder:
            pcm = Path(folder) / "sound.pcm"
            parts, warnings = _decode(file, demuxer, pcm, self._settings, self._options.track)
            transcript = _transcribe(self._transcriber, pcm, parts, self._language)
        for warning in (*warnings, *transcript_warnings(transcript)):
            warn(warning.message)
        if not transcript.text:
            warn(languages.no_speech_sentence("en"))
        return render(transcript, self._options.output_format)

    @cached_property
    def _transcriber(self) -> Transcriber:
        return transcriber_factory.create(self._settings, progress=True)


def _demuxer(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            head, _ = sniffing.read_head(opened)
    except OSError as error:
        raise AudioUnreadable(f"{file} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise EmptyAudio
    demuxer = sniffing.sniff(head)
    if demuxer is None:
        raise UnsupportedAudio
    return demuxer


def _decode(
    file: Path, demuxer: str, pcm: Path, settings: Settings, track: str
) -> tuple[list[TimeSpan], tuple[Warn, ...]]:
    """Write the samples to `pcm`; returns the spans of its parts, and what a reader should know of the file."""
    with AudioDecoder() as decoder, pcm.open("wb") as sink:
        decoding = decoder.decode(
            file, demuxer, track=track, max_audio_s=settings.max_audio_s, timeout_s=DECODE_TIMEOUT_S
        )
        with decoding:
            sound = VoiceSelection(decoding, track)
            parts = store_and_split(sound, sink, settings.part_target_s)
    return parts, decoding_warnings(decoding, sound)


def _transcribe(transcriber: Transcriber, pcm: Path, parts: list[TimeSpan], language: str | None) -> Transcript:
    transcripts: list[TranscriptPart] = []
    total_s = parts[-1].end_s if parts else 0.0
    with tqdm(total=round(total_s, 1), unit="s", desc="Transcribing", disable=None) as bar:
        for part in parts:
            start_s = part.start_s

            def on_segment(segment: Segment, start_s: float = start_s) -> None:
                bar.update(max(0.0, round(min(start_s + segment.end, total_s), 1) - bar.n))

            result = transcriber.transcribe(
                read_pcm(pcm, part.start_s, part.end_s), speech_language=language, on_segment=on_segment
            )
            transcripts.append(TranscriptPart(part.start_s, part.end_s, result))
            bar.update(max(0.0, round(part.end_s, 1) - bar.n))
    return merge_transcripts(transcripts)
