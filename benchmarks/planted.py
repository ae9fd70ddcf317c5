"""Makes streams of six hours of which is known what is said where: topics, facts, corrections, decoys, and gaps.

The words are those that Whisper would have written, in chunks of 30 s. Facts are never in what was withheld: nobody can
tell what was not heard.
"""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from benchmarks.planted_plan import (
    CHUNK_S,
    CHUNKS,
    HOURS_S,
    TOPICS_A_STREAM,
    Chunk,
    Line,
    Plan,
    Planner,
    Planted,
    in_turn,
    phrases_of,
)
from benchmarks.planted_words import THINGS
from streametrics.domain.transcript import Segment
from streametrics.recap.spoken import NumberedSegment

WORDS_PER_S = 2.5
#: Shares: of sentences that are of the topic; of the others, of those that tell of something else; of topic words that
#: are of another topic; of chunks that are written without marks and capitals.
_TALK, _ASIDE, _STRAY, _UNMARKED = 0.55, 0.18, 0.1, 0.05


def planted(seed: int) -> Planted:
    """Make the stream of a seed; the same one each time."""
    plan = Planner(seed).plan()
    _Speech(plan).say(plan.lines)
    return plan.stream


class _SpokenWord(NamedTuple):
    start_s: float
    end_s: float
    text: str


class _Speech:
    def __init__(self, plan: Plan) -> None:
        self._stream, self._topics, self._nicks = plan.stream, plan.topics, plan.nicks
        self._chance = random.Random(plan.stream.seed)  # noqa: S311
        self._phrases = phrases_of(plan.stream.seed)
        self._thing_weights = [1 / rank for rank in range(1, len(THINGS) + 1)]

    def say(self, waiting: list[Line]) -> None:
        """Say it all in order of time: what is planted when its time has come, and talk and banter around it."""
        talk, filler = in_turn(self._chance, self._phrases.talk), in_turn(self._chance, self._phrases.filler)
        asides = in_turn(self._chance, self._phrases.asides)
        spoken: list[_SpokenWord] = []
        at_s = 1.0
        while at_s < HOURS_S - 10:
            topic = bisect_right(self._stream.borders, at_s)
            if waiting and waiting[0].at_s <= at_s and self._is_sent(at_s, waiting[0].text):
                line = waiting.pop(0)
                text = line.text
                self._note(line, at_s + len(text.split()) / WORDS_PER_S)
            elif self._chance.random() < _TALK:
                text = next(talk).format(a=self._topic_word(topic), b=self._topic_word(topic))
            elif self._chance.random() < _ASIDE:
                text = next(asides).format(x=self._thing(), y=self._thing(), nick=self._nick(), n=self._number())
            else:
                text = next(filler).format(nick=self._nick(), n=self._number())
            for word in text.split():
                spoken.append(_SpokenWord(at_s, at_s + 1 / WORDS_PER_S, word))
                at_s += 1 / WORDS_PER_S
            at_s += self._chance.choice((0.2, 0.4, 0.4, 0.8, 1.5, 3.0))
        self._send(spoken)

    def _is_sent(self, at_s: float, text: str) -> bool:
        end_s = at_s + len(text.split()) / WORDS_PER_S
        return not any(
            chunk in self._stream.withheld for chunk in range(int(at_s // CHUNK_S), int(end_s // CHUNK_S) + 1)
        )

    def _note(self, line: Line, said_s: float) -> None:
        """Keep when something was really said."""
        if line.decoy is not None:
            self._stream.decoys.append(replace(line.decoy, said_s=said_s))
        elif line.fact is not None:
            fact = self._stream.facts[line.fact]
            self._stream.facts[line.fact] = (
                replace(fact, corrected_s=said_s) if line.is_correction else replace(fact, said_s=said_s)
            )

    def _nick(self) -> str:
        return self._chance.choice(self._nicks)

    def _number(self) -> int:
        return self._chance.randrange(2, 60)

    def _thing(self) -> str:
        return self._chance.choices(THINGS, self._thing_weights)[0]

    def _topic_word(self, topic: int) -> str:
        words = self._topics[self._chance.randrange(TOPICS_A_STREAM) if self._chance.random() < _STRAY else topic]
        return self._chance.choice(words)

    def _send(self, spoken: Sequence[_SpokenWord]) -> None:
        """Cut what was said into chunks and segments, and leave out what is withheld."""
        number = 0
        by_chunk: dict[int, list[_SpokenWord]] = {}
        for word in spoken:
            by_chunk.setdefault(int(word.start_s // CHUNK_S), []).append(word)
        for chunk in range(CHUNKS):
            unmarked = self._chance.random() < _UNMARKED
            if chunk in self._stream.withheld:
                continue
            segments = []
            for words in self._segmented(by_chunk.get(chunk, []), unmarked=unmarked):
                text = " ".join(word.text for word in words)
                if unmarked:
                    text = "".join(char for char in text.lower() if char not in ".,?!")
                segments.append(NumberedSegment(number, Segment(words[0].start_s, words[-1].end_s, text)))
                number += 1
            self._stream.chunks.append(Chunk(chunk * CHUNK_S, (chunk + 1) * CHUNK_S, tuple(segments)))

    def _segmented(self, words: Sequence[_SpokenWord], *, unmarked: bool) -> Iterator[list[_SpokenWord]]:
        """Divide a chunk's words as Whisper does: mostly behind sentences, now and then inside."""
        segment: list[_SpokenWord] = []
        most = self._chance.randrange(9, 16)
        for word in words:
            segment.append(word)
            ended = word.text[-1] in ".?!" and not unmarked and len(segment) > 3 and self._chance.random() < 0.8
            if ended or len(segment) >= most:
                yield segment
                segment, most = [], self._chance.randrange(9, 16)
        if segment:
            yield segment
