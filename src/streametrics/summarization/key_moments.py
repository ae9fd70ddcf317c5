"""Keeps the key moments that say something of their own, and shows them while they are written."""

import re
from dataclasses import replace
from difflib import SequenceMatcher

from streametrics.summarization import chunking, output_validation
from streametrics.summarization.base import KeyMoment
from streametrics.summarization.chunking import Timeline
from streametrics.summarization.output_validation import Overview
from streametrics.text import sentences

#: A sentence of a moment repeats one of the overview if that has this share of its words, in their order. A moment is
#: shorter than the sentence that tells it among other things.
_OVERVIEW_HAS = 0.85
#: Two moments are one if they share more than this: "scores the first goal" and "scores the second goal" are two.
_MOMENTS_SHARE = 0.9
#: A sentence of fewer words is only repeated by itself.
_LEAST_WORDS = 4
#: Letters of a word that count: `discussed` and `discusses` are one.
_STEM_LETTERS = 6

#: Words from which on a moment that is being written is shown, and letters up to which: a longer one is cut.
_LEAST_GROWING_WORDS, _LONGEST_GROWING = 6, 190

#: The last moment of JSON that is being written.
_UNFINISHED = re.compile(r'\{\s*"time"\s*:\s*"([^"\\]*)"\s*,\s*"what"\s*:\s*"((?:[^"\\]|\\.)*)("?)\s*$', re.DOTALL)
_TIME = re.compile(r"\[?\b\d{1,3}:\d{2}(?::\d{2})?\b\]?")
#: A word, or a single letter of a script without spaces.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W_]+")

Words = list[str]


def distinct(found: Overview) -> Overview:
    """Drop each key moment that repeats a sentence of the overview, or a moment before it."""
    told = [_words(sentence) for sentence in sentences.split(found.text)]
    kept: list[KeyMoment] = []
    said: list[Words] = []
    for moment in found.moments:
        words = _words(moment.what)
        repeats_overview = all(
            any(_is_told(own, sentence) for sentence in told) for own in map(_words, sentences.split(moment.what))
        )
        if not repeats_overview and not any(_is_same(words, earlier) for earlier in said):
            kept.append(moment)
            said.append(words)
    return replace(found, moments=tuple(kept))


def so_far(text: str, instruction: str, timeline: Timeline) -> str:
    """Return what can be shown of an overview's unfinished JSON: its sentences, then its moments.

    The last moment grows too, once it has said something of its own: a slow model needs half a minute for a long one.
    """
    shown = output_validation.overview_so_far(text, instruction)
    if not shown or "{" not in text[text.find("{") + 1 :]:
        return shown
    found = output_validation.parse_overview(text, timeline)
    kept = distinct(found) if found is not None else Overview(shown)
    growing = _growing(text, kept, timeline)
    return Overview(shown, kept.moments + ((growing,) if growing else ())).rendered()


def _growing(text: str, kept: Overview, timeline: Timeline) -> KeyMoment | None:
    """Find the moment that is being written; None while it may become one that is dropped."""
    match = _UNFINISHED.search(text)
    seconds = chunking.seconds_of(match[1]) if match else None
    at_s = None if seconds is None else timeline.start_of(seconds)
    if match is None or at_s is None or (kept.moments and at_s <= kept.moments[-1].at_s):
        return None
    what = output_validation.prose(match[2] if match[3] else match[2].rpartition(" ")[0])  # whole words
    if len(_words(what)) < _LEAST_GROWING_WORDS or len(what) >= _LONGEST_GROWING or "\\" in what:
        return None
    told = " ".join([kept.text, *(moment.what for moment in kept.moments)])
    return KeyMoment(at_s, what) if distinct(Overview(told, (KeyMoment(at_s, what),))).moments else None


def _is_told(words: Words, sentence: Words) -> bool:
    """Tell whether a sentence of the overview says what a moment does. Another number is another event."""
    if len(words) < _LEAST_WORDS:
        return words == sentence
    return _common(words, sentence) >= _OVERVIEW_HAS * len(words) and _numbers(words) <= _numbers(sentence)


def _is_same(words: Words, earlier: Words) -> bool:
    if len(words) < _LEAST_WORDS:
        return words == earlier
    share = 2 * _common(words, earlier) / (len(words) + len(earlier))
    return share > _MOMENTS_SHARE and _numbers(words) == _numbers(earlier)


def _common(words: Words, others: Words) -> int:
    """Count the words that both have in one order."""
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def _numbers(words: Words) -> set[str]:
    return {word for word in words if any(letter.isdigit() for letter in word)}


def _words(text: str) -> Words:
    return [word[:_STEM_LETTERS] for word in _WORD.findall(_TIME.sub(" ", text).casefold())]
