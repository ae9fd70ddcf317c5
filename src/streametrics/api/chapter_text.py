"""Answers with chapters as text, for every route that has them."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from streametrics.errors import TooFewChapters
from streametrics.text import chapter_lists
from streametrics.text.chapter_lists import ChapterFormat, ListedChapter

_MEDIA_TYPES: dict[ChapterFormat, str] = {
    "youtube": "text/plain",
    "markdown": "text/markdown",
    "vtt": "text/vtt",
    "ffmetadata": "text/plain",
}
#: How these answers are described; plain text first, as generated clients go by the first type that they know.
CHAPTERS_CONTENT: dict[str, Any] = {
    kind: {"schema": {"type": "string"}} for kind in dict.fromkeys(_MEDIA_TYPES.values())
}


def chapters_response(chapters: Sequence[ListedChapter], kind: ChapterFormat) -> Response:
    """Answer with a list of chapters. Raises TooFewChapters."""
    text = chapter_lists.render(chapters, kind)
    if text is None:
        raise TooFewChapters
    return Response(text, media_type=f"{_MEDIA_TYPES[kind]}; charset=utf-8")
