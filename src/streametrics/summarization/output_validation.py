"""Validates what a model wrote, and repairs what can be repaired."""

import json
import re
from dataclasses import dataclass
from typing import Any

from streametrics.summarization import answer_cleaning, chunking, language_check, loose_json, prompts
from streametrics.summarization.base import KeyMoment
from streametrics.summarization.chunking import Timeline
from streametrics.summarization.prompts import Defect, Given
from streametrics.text import sentences

#: What is said of an answer that holds none, after a second try.
NO_SUMMARY = "The model wrote no summary: it refused, or only repeated what it was told."

#: An answer with this share of its word sequences out of the instruction is the instruction repeated.
_REPEATED_SHARE = 0.5
_SEQUENCE_WORDS = 5
_SEQUENCE_LETTERS = 10
#: Letters of what one key moment may say.
_LONGEST_MOMENT = 200

#: How our last words to a model begin, in this version of them and in others.
_OUR_LAST_WORDS = re.compile(r"\W*(?:whatever it says,\s*)?your task is unchanged\b", re.IGNORECASE)
#: What leads to our fence, and its lines; small models copy them.
_FENCE_LINE = re.compile(
    r"the (?:transcript|notes|answer) (?:stands?|stood) between the two lines marked[ :]{0,8}"
    r"(?:\b[0-9a-f]{16}\b)?[ :]{0,8}"
    r"|(?:end of )?(?:transcript|notes|answer)?[ :]{0,8}\b[0-9a-f]{16}\b",
    re.IGNORECASE,
)
#: The beginning of one of these, at the end of a text that grows.
_FENCE_BEGINS = re.compile(
    r"(?:\bthe (?:transcript|notes|answer) (?:s|st|sta|sto|stan|stoo|stands?|stood)\b[^.!?]*"
    r"|\bend(?: o| of(?: [^.!?]*)?)?|\b(?=[a-f]*\d+[a-f])[0-9a-f]+)[ :]*$",
    re.IGNORECASE,
)
_OVERVIEW_SO_FAR = re.compile(r'"overview"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_MOMENT = re.compile(r'\{\s*"time"\s*:\s*"([^"\\]*)"\s*,\s*"what"\s*:\s*"((?:[^"\\]|\\.)*)"\s*\}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Overview:
    """A long recording in a few sentences, and its key moments in their order."""

    text: str
    moments: tuple[KeyMoment, ...] = ()

    def rendered(self) -> str:
        """The sentences, an empty line, and a line for each moment: `1:02:03 Ada beats the dragon.`"""
        lines = [f"{chunking.clock(moment.at_s)} {moment.what}" for moment in self.moments]
        return "\n".join([self.text, "", *lines]) if lines else self.text


def prose(text: str, *, was_cut: bool = False, given: Given = answer_cleaning.NOTHING) -> str:
    """Reduce an answer to the summary in it, as one line; empty where it is none.

    One that was cut ends at its last whole sentence. given: what the answer is about.
    """
    return answer_cleaning.summary_text(_without_fence(text), was_cut=was_cut, given=given)


def _without_fence(text: str) -> str:
    return _FENCE_LINE.sub(" ", prompts.clean(text))


def defect(text: str, instruction: str, tag: str | None) -> Defect | None:
    """Find what is wrong with an answer (as `prose` returns it); tag: the language wanted, None for any."""
    if not any(letter.isalnum() for letter in text) or repeats(text, instruction):
        return Defect.UNUSABLE
    if tag is not None and language_check.is_other(text, tag):
        return Defect.OTHER_LANGUAGE
    return None


def without_our_words(text: str, instruction: str) -> str:
    """Remove sentences that only repeat the instruction or an earlier one; where nothing is left, keep the text."""
    return sentences.join(_own(text, instruction)) or text


def so_far(text: str, instruction: str, *, is_whole: bool = False, given: Given = answer_cleaning.NOTHING) -> str:
    """Return what can be shown of an unfinished answer: whole sentences, none of ours, nothing around the summary.

    is_whole: nothing is added to this part of the answer.
    """
    text = _without_fence(text if is_whole else _FENCE_BEGINS.sub("", text))
    shown = answer_cleaning.shown_so_far(text, is_whole=is_whole, given=given)
    own = _own(shown, instruction)
    if own and not sentences.ends(own[-1]) and own[-1].casefold() in instruction.casefold():
        own.pop()  # it may become a sentence of ours
    return sentences.join(own)


def _own(text: str, instruction: str) -> list[str]:
    kept: dict[str, str] = {}
    for sentence in sentences.split(text):
        if not repeats(sentence, instruction):
            kept.setdefault(sentence.casefold(), sentence)
    return list(kept.values())


def repeats(text: str, instruction: str) -> bool:
    """Tell whether at least half of what a text says, in sequences of five words, the instruction says too."""
    if _OUR_LAST_WORDS.match(text):
        return True
    said = _sequences(text)
    if not said:
        return False
    known = _sequences(instruction, like=text)
    return sum(sequence in known for sequence in said) >= len(said) * _REPEATED_SHARE


def _sequences(text: str, like: str | None = None) -> set[tuple[str, ...]]:
    """Split a text into sequences of words, or of letters where it has no spaces; `like`: as long as that text's."""
    measure = (text if like is None else like).split()
    if len(measure) < 3 and len("".join(measure)) > _SEQUENCE_LETTERS:
        atoms, length = list("".join(text.split()).casefold()), _SEQUENCE_LETTERS
    else:
        atoms, length = re.findall(r"\w+", text.casefold()), min(_SEQUENCE_WORDS, len(measure))
    if length < 3:
        return set()
    return {tuple(atoms[start : start + length]) for start in range(len(atoms) - length + 1)}


def overview_so_far(text: str, instruction: str) -> str:
    """Extract the overview from unfinished JSON, as `so_far` does; empty until there is some of it."""
    match = _OVERVIEW_SO_FAR.search(text)
    if match is None:
        return ""
    return so_far(loose_json.unescaped(match[1]), instruction, is_whole=text[match.end() : match.end() + 1] == '"')


def parse_overview(text: str, timeline: Timeline) -> Overview | None:
    """Parse the overview from a model's JSON, whole or cut off; None where it holds none.

    A moment's time is that of the segment it lies in; one that lies outside the recording is left out.
    """
    data = json_object(text)
    said = data.get("overview") if data else None
    if isinstance(said, list | dict):
        said = prose(json.dumps(said, ensure_ascii=False))
    if not isinstance(said, str):
        match = _OVERVIEW_SO_FAR.search(text)
        if match is None:
            return None
        is_whole = text[match.end() : match.end() + 1] == '"'
        said = prose(loose_json.unescaped(match[1]), was_cut=not is_whole)
        found: Any = [{"time": at, "what": loose_json.unescaped(what)} for at, what in _MOMENT.findall(text)]
    else:
        found = data.get("moments") if data else None
    line = chunking.without_false_times(prose(said), 0.0, timeline.end_s)
    if not line:
        return None
    return Overview(line, _moments(found if isinstance(found, list) else [], timeline))


def _moments(found: list[Any], timeline: Timeline) -> tuple[KeyMoment, ...]:
    moments: dict[float, KeyMoment] = {}
    for each in found:
        time, what = (each.get("time"), each.get("what")) if isinstance(each, dict) else (None, None)
        if not isinstance(time, str) or not isinstance(what, str):
            continue
        seconds, said = chunking.seconds_of(time), _short(prose(what))
        at_s = None if seconds is None else timeline.start_of(seconds)
        if at_s is not None and any(letter.isalnum() for letter in said):
            moments.setdefault(at_s, KeyMoment(at_s, said))
    return tuple(sorted(moments.values(), key=lambda moment: moment.at_s)[: prompts.MOST_MOMENTS])


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_MOMENT else line[: _LONGEST_MOMENT - 1].rstrip() + "…"


def json_object(text: str) -> dict[str, Any] | None:
    """Find the JSON object in an answer; some models write a word before it, or a fence around it."""
    match = _OBJECT.search(text)
    try:
        found = json.loads(match[0], strict=False) if match else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
