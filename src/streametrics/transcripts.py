"""Transcripts as they are stored: those of a recording's parts become one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any


def merge_transcripts(pieces: list[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    """One transcript out of those of the parts, given as (start in seconds, transcript).

    Its language is the one in which most of the time is spoken.
    """
    segments: list[dict[str, Any]] = []
    seconds_by_language: dict[str, float] = {}
    for start_s, piece in pieces:
        for segment in piece["segments"]:
            moved = {
                "start": round(segment["start"] + start_s, 3),
                "end": round(segment["end"] + start_s, 3),
                "text": segment["text"],
            }
            segments.append(moved)
            if piece["language"]:
                spoken_s = segment["end"] - segment["start"]
                seconds_by_language[piece["language"]] = seconds_by_language.get(piece["language"], 0.0) + spoken_s
    language = max(seconds_by_language, key=lambda code: seconds_by_language[code], default=None)
    left_out = sum((Counter(piece.get("left_out", {})) for _, piece in pieces), Counter[str]())
    return {"language": language, "segments": segments} | ({"left_out": dict(left_out)} if left_out else {})


def up_to_a_gap(
    finished: Iterable[tuple[float, float, dict[str, Any]]], *, from_s: float = 0.0
) -> Iterator[tuple[float, float, dict[str, Any]]]:
    """Those of a recording's finished parts that follow each other from `from_s` on; each is start, end, transcript."""
    reached_s = from_s
    for part in finished:
        if part[0] != reached_s:
            return
        yield part
        reached_s = part[1]
