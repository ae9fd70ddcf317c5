"""Renders a transcript as text, JSON, SRT or WebVTT."""

import json
import re
from typing import Literal

from streametrics.domain.transcript import Transcript
from streametrics.text.subtitle_layout import lay_out

OutputFormat = Literal["text", "json", "srt", "vtt"]
#: The formats by their files' suffixes.
FORMATS: dict[str, OutputFormat] = {"txt": "text", "json": "json", "srt": "srt", "vtt": "vtt"}

#: What players take for markup in SRT, which has no way to say that it is none: a tag, and a style in braces.
_TAG, _STYLE = re.compile(r"<(?=[A-Za-z/])"), re.compile(r"\{(?=\\)")
VTT_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render(transcript: Transcript, output: OutputFormat) -> str:
    """Render a transcript as text, JSON, or subtitles."""
    match output:
        case "text":
            return transcript.text
        case "json":
            segments = [{"start": s.start, "end": s.end, "text": s.text} for s in transcript.segments]
            body = {"text": transcript.text, "speech_language": transcript.language, "segments": segments}
            return json.dumps(body, ensure_ascii=False, indent=2)
        case "srt":
            return "\n".join(
                f"{number}\n{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}\n{_srt(cue.lines)}\n"
                for number, cue in enumerate(lay_out(transcript), start=1)
            )
        case "vtt":
            cues = (
                f"{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{_vtt(cue.lines)}\n"
                for cue in lay_out(transcript)
            )
            return "\n".join(("WEBVTT\n", *cues))


def _srt(lines: tuple[str, ...]) -> str:
    return _STYLE.sub("(", _TAG.sub("‹", "\n".join(lines))).replace("-->", "→")


def _vtt(lines: tuple[str, ...]) -> str:
    return "\n".join(lines).translate(VTT_ESCAPED)


def clock(ms: int, separator: str) -> str:
    """Format a time in milliseconds as `HH:MM:SS` and milliseconds; hours may be more than 99."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{separator}{ms % 1000:03}"
