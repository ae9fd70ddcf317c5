"""Picks the sentences that tell most of a stretch of a stream, its key words and a title. No model.

A sentence tells much that has words which are rare in the stretch and were not said before it, names and numbers above
all. After Nenkova and Vanderwende, "The impact of frequency on summarization" (2005): what a chosen sentence has said
weighs less in the next choice. What was corrected or denied is not told.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from streametrics.recap import naming
from streametrics.recap.corrections import TakenBack, reports, taken_back
from streametrics.recap.spoken import SpokenSentence
from streametrics.recap.weighing import Weights, unit_of

#: What others are said to say, and questions, tell less.
_REPORTED_SHARE, _QUESTION_SHARE = 0.6, 0.6
#: Nothing is added that tells less than this share of the best sentence, or to a rest of fewer letters.
_LEAST_SHARE, _LEAST_LETTERS = 0.25, 20
#: A correction tells more: who reads has heard the wrong thing, or will.
_CORRECTION = 1.5
_QUESTION_MARKS = ("?", "？", "؟")


class Stretch:
    """A stretch of a stream, weighed once for all that is picked from it.

    before: what was said earlier; words that were used there tell less.
    """

    def __init__(self, sentences: Sequence[SpokenSentence], before: Sequence[SpokenSentence] = ()) -> None:
        self._sentences = sentences
        self._texts = _texts(sentences)
        self._weights = Weights([unit_of(text) for text in self._texts], _texts(before))

    def gist(self, most_letters: int) -> list[SpokenSentence]:
        """Pick the sentences that tell most, in their order, of at most so many letters together (at least one).

        What was corrected is told as corrected.
        """
        picking = _Picking(self._sentences, self._weights)
        return picking.sentences(picking.pick(most_letters))

    def keywords(self, most: int = 6) -> list[str]:
        """Find the words that mark it off from what was said before, as they are written, the best first."""
        return naming.keywords(self._texts, self._weights, most)

    def title(self) -> str:
        """Make a title of at most 49 characters; empty without words."""
        return naming.title(self._texts, self._weights)


def overview(gists: Sequence[Sequence[SpokenSentence]], *, most_letters: int) -> list[SpokenSentence]:
    """Pick from the gists of chapters, in order, what tells of all of them; at most so many letters together.

    All is told where it fits. Otherwise each chapter has its turn, those first that lie farthest from what is told.
    """
    sentences = [sentence for told in gists for sentence in told]
    picking = _Picking(sentences, Weights([unit_of(text) for text in _texts(sentences)]))
    whole = picking.all()
    if sum(_length(sentences[index]) for index in whole) - 1 <= most_letters:
        return picking.sentences(whole)
    chapters, position = [], 0
    for told in gists:
        chapters.append(range(position, position + len(told)))
        position += len(told)
    return picking.sentences(picking.pick_by_turns(chapters, most_letters))


def _texts(sentences: Iterable[SpokenSentence]) -> list[str]:
    return [sentence.text for sentence in sentences]


def _length(sentence: SpokenSentence) -> int:
    return len(sentence.text) + 1


class _Picking:
    """One choice of sentences. weights: of them."""

    def __init__(self, sentences: Sequence[SpokenSentence], weights: Weights) -> None:
        self._sentences = sentences
        self._units = weights.stretch
        self._scores = weights.scores()
        self._taken_back: TakenBack = taken_back(sentences)
        hidden = self._taken_back.denied | self._taken_back.corrected.keys() | self._repeated()
        self._open = [index for index in range(len(sentences)) if index not in hidden] or list(range(len(sentences)))
        self._needs = self._taken_back.needs
        self._needed_by = {earlier: later for later, earlier in self._needs.items()}
        self._corrects = {later: earlier for earlier, later in self._taken_back.corrected.items()}

    def _repeated(self) -> set[int]:
        """A sentence that is said again counts once."""
        last = {unit.tokens: index for index, unit in reversed(list(enumerate(self._units)))}
        return {index for index, unit in enumerate(self._units) if last[unit.tokens] != index}

    def all(self) -> list[int]:
        return self._open

    def sentences(self, positions: Iterable[int]) -> list[SpokenSentence]:
        return [self._sentences[index] for index in sorted(set(positions))]

    def pick(self, most_letters: int) -> list[int]:
        """Take the best that still fits, again and again, as long as it tells something."""
        chosen: list[int] = []
        left = most_letters + 1
        ranked = [(-self._score(index), index) for index in self._open]
        heapify(ranked)
        best = -ranked[0][0] if ranked else 0.0
        while ranked and (left > _LEAST_LETTERS or not chosen):
            was, index = heappop(ranked)
            now = -self._score(index)
            if now > was:  # it weighs less since something was told, and has to go back in its place
                heappush(ranked, (now, index))
                continue
            if chosen and -now < _LEAST_SHARE * best:
                break
            length = self._bundle_length(index, chosen)
            if index in chosen or (length > left and chosen):
                continue
            bundle = self._bundle(index) if length <= left else [index]
            bundle = [each for each in bundle if each not in chosen]
            left -= length
            chosen += bundle
            self._tell(bundle)
        return chosen

    def pick_by_turns(self, chapters: Sequence[range], most_letters: int) -> list[int]:
        """Take the best of each chapter in turn, and go on while anything fits."""
        chosen: list[int] = []
        left = most_letters + 1
        rest = [[index for index in chapter if index in set(self._open)] for chapter in chapters]
        while any(rest):
            took = False
            for chapter in _spread(len(rest)):
                fitting = [index for index in rest[chapter] if 0 < self._bundle_length(index, chosen) <= left]
                rest[chapter] = fitting
                if not fitting and (chosen or not chapters[chapter]):
                    continue
                if fitting:
                    index = max(fitting, key=self._score)
                    bundle = [each for each in self._bundle(index) if each not in chosen]
                    left -= self._bundle_length(index, chosen)
                    chosen += bundle
                    self._tell(bundle)
                    rest[chapter] = [each for each in fitting if each not in bundle]
                    took = True
            if not took:
                break
        return chosen or [max(self._open, key=self._score)] if self._open else []

    def _bundle(self, index: int) -> list[int]:
        """A correction that is not understood alone comes with what it corrects."""
        return [each for each in (self._needs.get(index), index, self._needed_by.get(index)) if each is not None]

    def _bundle_length(self, index: int, chosen: Sequence[int]) -> int:
        return sum(_length(self._sentences[each]) for each in self._bundle(index) if each not in chosen)

    def _score(self, index: int) -> float:
        found = self._scores.of(index)
        if index in self._corrects:
            found = _CORRECTION * max(found, self._scores.of(self._corrects[index]))
        if index in self._needs:
            found = _CORRECTION * max(found, self._scores.of(self._needs[index]))
        sentence = self._sentences[index]
        if sentence.text.endswith(_QUESTION_MARKS):
            found *= _QUESTION_SHARE
        if reports(sentence):
            found *= _REPORTED_SHARE
        return found

    def _tell(self, told: Iterable[int]) -> None:
        for index in told:
            self._scores.tell(index)


def _spread(count: int) -> list[int]:
    """Order positions so that any first few lie far apart: the last, the first, the middle, and so on."""
    order, waiting = [], []
    if count:
        order.append(count - 1)
        waiting.append((0, count - 1))
    if count > 1:
        order.append(0)
        waiting = [(1, count - 1)]
    for first, end in waiting:
        if first < end:
            middle = (first + end) // 2
            order.append(middle)
            waiting += [(first, middle), (middle + 1, end)]
    return order
