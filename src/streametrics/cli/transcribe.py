"""Runs `python -m streametrics transcribe FILE…`: transcripts without any server."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from streametrics.audio.pcm import read_pcm
from streametrics.audio.tracks import AUTO
from streametrics.cli import recordings
from streametrics.cli.recordings import TextOptions
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, TranscriptPart, merge_transcripts
from streametrics.domain.warnings import transcript_warnings
from streametrics.pipeline.transcribe import store_and_split
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings
from streametrics.text import languages
from streametrics.text.subtitles import render
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribeOptions(TextOptions):
    """What is asked for. language: what is spoken, as a code or a name. track: as `audio.tracks.parse_track` says."""

    language: str | None = None
    track: str = AUTO


def run(
    settings: Settings, paths: Sequence[Path], options: TranscribeOptions, *, warn: Callable[[str], None]
) -> Iterator[str]:
    """Transcribe files, and those in folders; yields each text that is to be printed. See `recordings.write_texts`."""
    transcription = _Transcription(settings, options)
    return recordings.write_texts(paths, options, transcription.text_of, warn=warn)


class _Transcription:
    """Transcribes one file after another; the model is loaded for the first that can be read."""

    def __init__(self, settings: Settings, options: TranscribeOptions) -> None:
        self._settings = settings
        self._options = options
        self._language = languages.parse_spoken(options.language or "", settings.whisper_model)

    def text_of(self, file: Path, warn: Callable[[str], None]) -> str:
        """Transcribe a file into the format asked for. Raises StreametricsError."""
        with tempfile.TemporaryDirectory(prefix="streametrics-") as folder:
            pcm = Path(folder) / "sound.pcm"
            parts, warnings = recordings.decode(
                file, self._options.track, self._settings, lambda sound: self._split(sound, pcm)
            )
            transcript = _transcribe(self._transcriber, pcm, parts, self._language)
        for warning in (*warnings, *transcript_warnings(transcript)):
            warn(warning.message)
        if not transcript.text:
            warn(languages.no_speech_sentence("en"))
        return render(transcript, self._options.output_format)

    def _split(self, sound: VoiceSelection, pcm: Path) -> list[TimeSpan]:
        with pcm.open("wb") as sink:
            return store_and_split(sound, sink, self._settings.part_target_s)

    @cached_property
    def _transcriber(self) -> Transcriber:
        return transcriber_factory.create(self._settings, progress=True)


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
