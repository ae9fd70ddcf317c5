"""Answers with a transcript as text or subtitles, for every route that has one."""

from typing import Any, Literal

from starlette.responses import Response

from streametrics.domain.transcript import Transcript
from streametrics.text import subtitles

TextFormat = Literal["txt", "srt", "vtt"]
_MEDIA_TYPES: dict[TextFormat, str] = {"txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
#: How these answers are described; plain text first, as generated clients go by the first type that they know.
TEXT_CONTENT: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in _MEDIA_TYPES.values()}


def text_response(text: str) -> Response:
    """Answer with plain text, ended as a line is."""
    return _response(f"{text}\n", "txt")


def subtitle_response(transcript: Transcript, kind: Literal["srt", "vtt"]) -> Response:
    """Answer with subtitles; of hours they take a while, so call it in a thread."""
    return _response(subtitles.render(transcript, kind), kind)


def _response(text: str, kind: TextFormat) -> Response:
    return Response(text, media_type=f"{_MEDIA_TYPES[kind]}; charset=utf-8")
