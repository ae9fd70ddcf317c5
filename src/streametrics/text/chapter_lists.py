"""Writes a list of chapters as people and players take it: YouTube, Markdown, WebVTT, FFmpeg."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streametrics.text.subtitles import VTT_ESCAPED, clock

ChapterFormat = Literal["youtube", "markdown", "vtt", "ffmetadata"]

#: YouTube takes no list of fewer, and none with a shorter one (its help on video chapters).
LEAST_CHAPTERS, LEAST_S = 3, 10
#: Characters of a title in a line for YouTube.
YOUTUBE_TITLE = 100

#: YouTube refuses descriptions with them; in Markdown and WebVTT they may be markup.
_ANGLES = str.maketrans({"<": "‹", ">": "›"})
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~])")
_FFMETADATA = re.compile(r"([=;#\\\n])")


@dataclass(frozen=True, slots=True)
class ListedChapter:
    """A chapter: start and end in seconds, and what is said of it."""

    start_s: float
    end_s: float
    title: str
    summary: str = ""


def render(chapters: Sequence[ListedChapter], kind: ChapterFormat) -> str | None:
    """Write the chapters, in order; None where YouTube would show none of them."""
    listed = [_one_line(chapter) for chapter in chapters]
    match kind:
        case "youtube":
            return _youtube(listed)
        case "markdown":
            return "".join(map(_markdown, listed))
        case "vtt":
            return "\n".join(["WEBVTT\n", *map(_cue, listed)])
        case "ffmetadata":
            return ";FFMETADATA1\n" + "".join(map(_section, listed))


def _one_line(chapter: ListedChapter) -> ListedChapter:
    title, summary = " ".join(chapter.title.split()), " ".join(chapter.summary.split())
    return ListedChapter(chapter.start_s, max(chapter.end_s, chapter.start_s), title or "…", summary)


def _youtube(chapters: Sequence[ListedChapter]) -> str | None:
    """Write one line each. The first is at 0:00, and one that begins too soon after another is left out."""
    lines: list[str] = []
    before = -LEAST_S
    is_long = bool(chapters) and chapters[-1].start_s >= 3600
    for chapter in chapters:
        at = int(chapter.start_s) if lines else 0
        if at - before < LEAST_S or chapter.end_s - at < LEAST_S:
            continue
        lines.append(f"{_clock(at, is_long=is_long)} {chapter.title.translate(_ANGLES)[:YOUTUBE_TITLE]}\n")
        before = at
    return "".join(lines) if len(lines) >= LEAST_CHAPTERS else None


def _clock(seconds: int, *, is_long: bool) -> str:
    minutes, rest = divmod(seconds, 60)
    if is_long:
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def _markdown(chapter: ListedChapter) -> str:
    is_long = chapter.end_s >= 3600
    times = f"{_clock(int(chapter.start_s), is_long=is_long)}–{_clock(int(chapter.end_s), is_long=is_long)}"
    head, text = (_MARKDOWN.sub(r"\\\1", part).translate(_ANGLES) for part in (chapter.title, chapter.summary))
    return f"## {times} {head}\n\n" + (f"{text}\n\n" if text else "")


def _cue(chapter: ListedChapter) -> str:
    start, end = (clock(round(seconds * 1000), ".") for seconds in (chapter.start_s, chapter.end_s))
    title = chapter.title.replace("-->", "→").translate(VTT_ESCAPED)
    return f"{start} --> {end}\n{title}\n"


def _section(chapter: ListedChapter) -> str:
    title = _FFMETADATA.sub(r"\\\1", chapter.title)
    start, end = round(chapter.start_s * 1000), round(chapter.end_s * 1000)
    return f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
