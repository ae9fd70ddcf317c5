"""Runs `python -m streametrics transcribe FILE`: a transcript without any server."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from streametrics.audio import sniffing
from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import read_pcm
from streametrics.audio.tracks import AUTO
from streametrics.domain.job import Warn
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, TranscriptPart, merge_transcripts
from streametrics.domain.warnings import transcript_warnings
from streametrics.errors import AudioUnreadable, EmptyAudio, UnsupportedAudio
from streametrics.pipeline.transcribe import decoding_warnings, store_and_split
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings
from streametrics.text import languages
from streametrics.text.subtitles import OutputFormat, render
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber

#: A recording is decoded many times faster than it plays; this stops what hangs.
DECODE_TIMEOUT_S = 3600.0


def run(
    settings: Settings,
    file: Path,
    language: str | None,
    output: OutputFormat,
    *,
    track: str = AUTO,
    warn: Callable[[str], None],
) -> str:
    """Transcribe `file` into the format asked for; `language` is what is spoken, as a code or a name.

    track: as `audio.tracks.parse_track` says. warn: called with what a reader should know beside the text. Raises
    StreametricsError with one sentence.
    """
    code = languages.parse_spoken(language or "", settings.whisper_model)
    demuxer = _demuxer(file)
    with tempfile.TemporaryDirectory(prefix="streametrics-") as folder:
        pcm = Path(folder) / "sound.pcm"
        parts, warnings = _decode(file, demuxer, pcm, settings, track)
        transcriber = transcriber_factory.create(settings, progress=True)
        transcript = _transcribe(transcriber, pcm, parts, code)
    for warning in (*warnings, *transcript_warnings(transcript)):
        warn(warning.message)
    if not transcript.text:
        warn(languages.no_speech_sentence("en"))
    return render(transcript, output)


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
