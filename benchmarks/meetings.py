"""Spoken passages with summaries by people: QMSum (Zhong et al., NAACL 2021; MIT license), 70 meetings.

The archive is found at QMSUM, or at `../shared/data/qmsum-val-test.tar.xz` beside the repository.
"""

import json
import os
import re
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streametrics.domain.transcript import Segment

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "qmsum-val-test.tar.xz"
#: Words of a chunk of 30 s.
CHUNK_WORDS = 80
#: A passage's words: one prompt, and enough to be summarized.
PASSAGE_WORDS = (150, 450)
#: A recording's words: about 15 to 30 minutes.
RECORDING_WORDS = (2000, 4500)
#: Speech, as STREAMS of conversation go.
WORDS_PER_SECOND = 2.5

_MARK = re.compile(r"\{[^{}]*\}")
_BEFORE_POINT = re.compile(r"\s+([.,;:!?])|\s+(?='\w)|(?<=\w)\s(?=n't\b)")


class MeetingsMissing(Exception):
    """QMSum's archive is not there: name it in QMSUM."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What was said in a meeting, and a person's summary of it; empty for a chunk."""

    meeting: str
    text: str
    reference: str = ""


def chunks(count: int) -> list[Passage]:
    """Take a chunk of 30 s out of the middle of each meeting, at most one a meeting."""
    found = []
    for name, meeting in _meetings().items():
        words = " ".join(_turns(meeting)).split()
        start = next(at for at in range(len(words) // 2, len(words)) if words[at - 1].endswith((".", "?")))
        found.append(Passage(name, " ".join(words[start : start + CHUNK_WORDS])))
    return found[:count]


def passages(count: int) -> list[Passage]:
    """Take the first stretch of each meeting that a question is about, with the question's answer."""
    found = []
    for name, meeting in _meetings().items():
        for question in meeting["specific_query_list"]:
            spans = question["relevant_text_span"]
            text = " ".join(" ".join(_turns(meeting)[int(first) : int(last) + 1]) for first, last in spans)
            if len(spans) == 1 and PASSAGE_WORDS[0] <= len(text.split()) <= PASSAGE_WORDS[1]:
                found.append(Passage(name, text, question["answer"]))
                break
    return found[:count]


def recordings(count: int) -> list[tuple[Passage, tuple[Segment, ...]]]:
    """Take whole short meetings, with times as of speech without pauses, and their overall summary."""
    found = []
    for name, meeting in _meetings().items():
        turns = [turn for turn in _turns(meeting) if turn]
        text = " ".join(turns)
        if RECORDING_WORDS[0] <= len(text.split()) <= RECORDING_WORDS[1]:
            found.append((Passage(name, text, meeting["general_query_list"][0]["answer"]), _timed(turns)))
    return found[:count]


def names() -> list[str]:
    """List the meetings. Raises MeetingsMissing."""
    return sorted(_meetings())


def turns(name: str) -> list[str]:
    """What was said in a meeting, turn by turn."""
    return [turn for turn in _turns(_meetings()[name]) if turn]


def _timed(turns: list[str]) -> tuple[Segment, ...]:
    segments, at_s = [], 0.0
    for turn in turns:
        end_s = at_s + len(turn.split()) / WORDS_PER_SECOND
        segments.append(Segment(at_s, end_s, turn))
        at_s = end_s
    return tuple(segments)


def _turns(meeting: dict[str, Any]) -> list[str]:
    """What was said, turn by turn, without the transcribers' marks and as Whisper writes it."""
    return [plain(turn["content"]) for turn in meeting["meeting_transcripts"]]


def plain(text: str) -> str:
    """Remove a transcriber's marks and the spaces before signs."""
    return " ".join(_BEFORE_POINT.sub(r"\1", _MARK.sub(" ", text)).split())


@cache
def _meetings() -> dict[str, dict[str, Any]]:
    path = Path(os.environ.get("QMSUM", ARCHIVE))
    if not path.exists():
        raise MeetingsMissing
    with tarfile.open(path) as archive:
        files = {Path(member.name).stem: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: json.load(file) for name, file in sorted(files.items()) if file is not None}
