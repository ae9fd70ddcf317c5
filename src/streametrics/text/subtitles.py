"""Renders a transcript as text, JSON, SRT or WebVTT."""

import json
from typing import Literal

from streametrics.domain.transcript import Transcript

OutputFormat = Literal["text", "json", "srt", "vtt"]


def render(transcript: Transcript, output: OutputFormat) -> str:
    """The transcript as text, JSON, or subtitles."""
    match output:
        case "text":
            return transcript.text
        case "json":
            segments = [{"start": s.start, "end": s.end, "text": s.text} for s in transcript.segments]
            body = {"text": transcript.text, "speech_language": transcript.language, "segments": segments}
            return json.dumps(body, ensure_ascii=False, indent=2)
        case "srt":
            return "\n".join(
                f"{number}\n{_clock(s.start, ',')} --> {_clock(s.end, ',')}\n{s.text}\n"
                for number, s in enumerate(transcript.segments, start=1)
            )
        case "vtt":
            cues = (f"{_clock(s.start, '.')} --> {_clock(s.end, '.')}\n{s.text}\n" for s in transcript.segments)
            return "\n".join(("WEBVTT\n", *cues))


def _clock(seconds: float, separator: str) -> str:
    """`HH:MM:SS` and milliseconds, as subtitles want it."""
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{separator}{ms % 1000:03}"
