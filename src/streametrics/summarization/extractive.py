"""Summarizes by extraction: the transcript's most central sentences, in their order. No model, no network.

A sentence is central when it holds words that come back, but not everywhere: a word's weight is
log(1 + sentences that hold it) x log(1 + sentences / sentences that hold it), times its length up to eight letters,
which keeps articles and fillers down in any language without lists of them. Scripts without spaces (Chinese, Japanese,
Thai, Khmer, Lao, Burmese) are counted in pairs of letters. After Nenkova and Vanderwende, "The impact of frequency on
summarization" (2005): what a chosen sentence has said weighs less in the next choice.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from streametrics.domain.job import SummaryLength
from streametrics.llm.base import Condition, ModelHealth
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest, is_silent, silent_summary
from streametrics.text import sentences
from streametrics.text.pieces import EDGES, UNSPACED, pieces, tokens

_REPEATED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _SummarySize:
    """The limits of a summary's length."""

    sentences: int
    words: int
    letters: int


_SHORT = _SummarySize(sentences=3, words=60, letters=300)
_LONG = _SummarySize(sentences=5, words=110, letters=600)
#: From this many words a recording is long: some ten minutes of speech.
_LONG_FROM_WORDS = 1500


class ExtractiveSummarizer:
    """Picks sentences; always available. The summary is in the spoken language, whatever was asked for."""

    source = "extractive"

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        if is_silent(request.transcript):
            return silent_summary(request)
        text = central_sentences(request.transcript, request.length)
        if on_text is not None:
            on_text(text, 1.0)
        return Summary(text, self.source)

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        return 0

    def warm_up(self) -> None:
        """Do nothing: there is nothing to load."""

    def health(self) -> ModelHealth:
        return ModelHealth(Condition.WORKING, "Picks sentences; needs no model server.")


def central_sentences(transcript: str, length: SummaryLength | None = None) -> str:
    """Pick at most about 60 words for a short summary, 110 for a long one; empty only for an empty transcript.

    length: None for what suits the transcript.
    """
    if length is None:
        length = "long" if transcript.count(" ") >= _LONG_FROM_WORDS or len(transcript) > 10_000 else "short"
    size = _LONG if length == "long" else _SHORT
    units = _units(transcript)
    if len(units) <= size.sentences:
        ranked: Iterable[int] = range(len(units))
    else:
        ranked = _rank(units, size.sentences)
    return _join(units, _fitting(units, ranked, size))


def _units(transcript: str) -> list[str]:
    """Split a transcript into sentences with words; overlong ones into pieces. A repeated one counts once."""
    units: dict[str, None] = {}
    for sentence in sentences.split(" ".join(transcript.split())):
        for piece in pieces(sentence):
            if not is_silent(piece):
                units.setdefault(piece)
    return list(units)


def _rank(units: Sequence[str], count: int) -> list[int]:
    """Rank the best units, best first: one from each stretch of a long text, so that all of it is covered."""
    told = [set(tokens(unit)) for unit in units]
    held_by = Counter(token for unit in told for token in unit)
    weights = {
        token: math.log1p(held) * math.log1p(len(units) / held) * min(len(token), 8) for token, held in held_by.items()
    }
    stretches = [range(len(units))] * count
    if len(units) > 6 * count:
        edges = [round(len(units) * part / count) for part in range(count + 1)]
        stretches = [range(edges[part], edges[part + 1]) for part in range(count)]
    chosen: list[int] = []
    for stretch in stretches:
        rest = (position for position in stretch if position not in chosen)
        best = max(rest, key=lambda position: _score(told[position], weights))
        chosen.append(best)
        for token in told[best]:
            weights[token] *= _REPEATED_SHARE
    return sorted(chosen, key=lambda position: -sum(held_by[token] for token in told[position]))


def _score(told: set[str], weights: dict[str, float]) -> float:
    """Score a sentence by its average weight, with a handicap that keeps "Yes." and "Oh my God!" from winning."""
    return sum(weights[token] for token in told) / (len(told) + 4)


def _fitting(units: Sequence[str], ranked: Iterable[int], size: _SummarySize) -> list[int]:
    """Choose the best units that fit into the size; returns their positions in the order of the text."""
    kept: list[int] = []
    words = letters = 0
    for position in ranked:
        words += units[position].count(" ") + 1
        letters += len(units[position]) + 1
        if kept and (words > size.words or letters > size.letters):
            break
        kept.append(position)
    return sorted(kept)


def _join(units: Sequence[str], positions: Sequence[int]) -> str:
    """Join units to one line. A piece of a longer sentence ends in an ellipsis, unless the next piece follows."""
    text = ""
    for index, position in enumerate(positions):
        unit = units[position]
        unspaced = UNSPACED.match(unit) is not None
        text += unit if not text or (unspaced and not text.endswith(" ")) else f" {unit}"
        followed = index + 1 < len(positions) and positions[index + 1] == position + 1
        if not sentences.ends(unit) and not followed:
            text = f"{text.rstrip(EDGES)}…" + (" " if unspaced else "")
    return text.strip()
