"""Plans streams of six hours: topics, facts, corrections, decoys, and what is withheld."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeVar

from benchmarks.planted_words import DEVELOPMENT, HELD_OUT, SUBJECTS, TOPICS, Phrases
from streametrics.recap.boundaries import Boundary, Mark
from streametrics.recap.spoken import NumberedSegment

CHUNK_S, CHUNKS = 30.0, 720
HOURS_S = CHUNK_S * CHUNKS
TOPICS_A_STREAM, FACTS_A_TOPIC, CORRECTED, DECOYS = 30, 3, 15, 10
#: In chunks; together 5 % of the stream. The long ones lie between topics.
PAUSES, OTHER_GAPS = (8, 7, 6), (4, 3, 2, 2, 1, 1, 1, 1)
#: Seeds from here on are held out.
HELD_OUT_FROM = 100
#: The share of facts inside long sentences.
_LONG = 0.33
_BEGINNINGS = (
    *("b", "br", "c", "cr", "d", "dr", "f", "g", "gl", "h", "j", "k", "l", "m"),
    *("n", "p", "qu", "r", "s", "st", "t", "tr", "v", "w", "z"),
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
_ENDS = ("n", "r", "s", "l", "x", "m", "th", "ck", "nd", "rt")

Choice = TypeVar("Choice")
Kind = Literal["name", "number", "odd"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is said once: of `subject` it is `value`. wrong: what was said at first, and corrected at said_s."""

    kind: Kind
    subject: str
    value: str
    topic: int
    said_s: float
    wrong: str | None = None
    corrected_s: float | None = None

    def value_at(self, at_s: float) -> str | None:
        """What is known of it by then; None before it was said."""
        if self.wrong is not None and self.corrected_s is not None:
            return self.value if self.corrected_s <= at_s else (self.wrong if self.said_s <= at_s else None)
        return self.value if self.said_s <= at_s else None


@dataclass(frozen=True, slots=True)
class Decoy:
    """What is read out as false."""

    subject: str
    value: str
    said_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a client sent: where it lies, what was heard in it."""

    start_s: float
    end_s: float
    segments: tuple[NumberedSegment, ...]


@dataclass(slots=True)
class Planted:
    """A stream. borders: where topics change, in seconds. marks: what a client says of two of three of them."""

    seed: int
    borders: list[float]
    facts: list[Fact] = field(default_factory=list)
    decoys: list[Decoy] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    withheld: set[int] = field(default_factory=set)
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def withheld_s(self) -> float:
        return len(self.withheld) * CHUNK_S


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be said at a time or soon behind it."""

    at_s: float
    text: str
    fact: int | None = None
    is_correction: bool = False
    decoy: Decoy | None = None


class Plan(NamedTuple):
    """What is to be said in a stream, in order of time, and the words around it."""

    stream: Planted
    topics: Sequence[Sequence[str]]
    nicks: Sequence[str]
    lines: list[Line]


def phrases_of(seed: int) -> Phrases:
    """The phrases of the seed's set."""
    return HELD_OUT if seed >= HELD_OUT_FROM else DEVELOPMENT


def in_turn(chance: random.Random, choices: Sequence[Choice]) -> Iterator[Choice]:
    """Yield all choices in an order of chance, then all of them in another."""
    order: list[Choice] = []
    while True:
        if not order:
            order = chance.sample(choices, len(choices))
        yield order.pop()


class Planner:
    """Plans the stream of a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._phrases = phrases_of(seed)
        self._stream = Planted(seed, self._borders())
        self._edges = [0.0, *self._stream.borders, HOURS_S]
        self._topics = self._chance.sample(TOPICS, TOPICS_A_STREAM)
        self._words: set[str] = set()
        self._nicks = [self._invented().capitalize() for _ in range(60)]

    def plan(self) -> Plan:
        self._withhold()
        self._mark()
        lines = self._plant()
        return Plan(self._stream, self._topics, self._nicks, [line for topic in lines for line in topic])

    def _borders(self) -> list[float]:
        """Topics of 7 to 17 minutes, together the stream's length."""
        lengths = [self._chance.uniform(7, 17) for _ in range(TOPICS_A_STREAM)]
        share = HOURS_S / sum(lengths)
        ends: list[float] = []
        for length in lengths[:-1]:
            ends.append((ends[-1] if ends else 0.0) + length * share)
        return [round(end, 1) for end in ends]

    def _withhold(self) -> None:
        """Choose the chunks that are not sent: the long pauses where topics change, the others inside of topics."""
        withheld = self._stream.withheld
        borders = self._chance.sample(self._stream.borders[2:], len(PAUSES))
        for border, length in zip(borders, PAUSES, strict=True):
            first = int(border // CHUNK_S) - length + 1
            withheld.update(range(first, first + length))
        for length in OTHER_GAPS:
            while True:
                first = self._chance.randrange(5, CHUNKS - length - 5)
                if not withheld & set(range(first - 3, first + length + 3)):
                    break
            withheld.update(range(first, first + length))

    def _mark(self) -> None:
        """Let two of three borders be marked: by the pauses, and by titles and games that chunks are sent with."""
        paused = [border for border in self._stream.borders if int(border // CHUNK_S) in self._stream.withheld]
        rest = [border for border in self._stream.borders if border not in paused]
        named = self._chance.sample(rest, round(len(self._stream.borders) * 2 / 3) - len(paused))
        self._stream.marks = [
            Mark((int(border // CHUNK_S) + 1) * CHUNK_S, self._chance.choice((Boundary.TITLE, Boundary.GAME)))
            for border in sorted(named)
        ]

    def _plant(self) -> list[list[Line]]:
        """Write facts, corrections and decoys, topic by topic, in the order of their times."""
        lines: list[list[Line]] = [[] for _ in range(TOPICS_A_STREAM)]
        subjects = [self._chance.sample(SUBJECTS, FACTS_A_TOPIC + 1) for _ in range(TOPICS_A_STREAM)]
        shapes = {kind: in_turn(self._chance, told) for kind, told in self._phrases.facts.items()}
        facts = self._stream.facts
        for topic in range(TOPICS_A_STREAM):
            for at_s, subject in zip(self._times(topic, FACTS_A_TOPIC), subjects[topic], strict=False):
                kind: Kind = self._chance.choice(("name", "number", "odd"))
                about = f"{self._chance.choice(self._topics[topic])} {subject}"
                fact = Fact(kind, about, self._value(kind), topic, at_s)
                text = next(shapes[kind]).format(s=about, v=fact.value)
                lines[topic].append(Line(at_s, self._lengthened(text, fact), fact=len(facts)))
                facts.append(fact)
        self._correct(lines)
        decoys = in_turn(self._chance, self._phrases.decoys)
        for topic in self._chance.sample(range(TOPICS_A_STREAM), DECOYS):
            decoy = Decoy(
                f"{self._chance.choice(self._topics[topic])} {subjects[topic][-1]}",
                self._value(self._chance.choice(("name", "number", "odd"))),
                self._times(topic, 1)[0],
            )
            text = " ".join(next(decoys)).format(s=decoy.subject, v=decoy.value)
            lines[topic].append(Line(decoy.said_s, text, decoy=decoy))
        return [sorted(topic, key=lambda line: line.at_s) for topic in lines]

    def _correct(self, lines: list[list[Line]]) -> None:
        """Correct some facts: a third of them at once, a third later in the topic, a third in a later topic."""
        facts = self._stream.facts
        early = [index for index, fact in enumerate(facts) if fact.topic < TOPICS_A_STREAM - 3]
        shapes, bare = in_turn(self._chance, self._phrases.corrections), in_turn(self._chance, self._phrases.bare)
        for position, index in enumerate(self._chance.sample(early, CORRECTED)):
            fact = facts[index]
            value, how = self._value(fact.kind), position % 3
            topic = fact.topic if how < 2 else self._chance.randrange(fact.topic + 1, TOPICS_A_STREAM)
            at_s = fact.said_s + 1 if how == 0 else self._time_behind(topic, fact.said_s + 40)
            facts[index] = replace(fact, value=value, wrong=fact.value, corrected_s=at_s)
            text = next(bare if how == 0 else shapes).format(s=fact.subject, v=value, old=fact.value)
            lines[topic].append(Line(at_s, text, fact=index, is_correction=True))

    def _time_behind(self, topic: int, least_s: float) -> float:
        latest_s = self._edges[topic + 1] - 25
        return max(time for time in (*self._times(topic, 3), min(least_s, latest_s)) if time <= latest_s)

    def _times(self, topic: int, count: int) -> list[float]:
        """Choose times inside a topic at which chunks are sent."""
        first_s, end_s = self._edges[topic] + 20, self._edges[topic + 1] - 45
        found: list[float] = []
        while len(found) < count:
            at_s = self._chance.uniform(first_s, end_s)
            near = range(int(at_s // CHUNK_S), int((at_s + 40) // CHUNK_S) + 1)
            if not self._stream.withheld & set(near) and all(abs(at_s - other) > 20 for other in found):
                found.append(at_s)
        return sorted(found)

    def _lengthened(self, text: str, fact: Fact) -> str:
        """Put some facts into the middle of a long sentence."""
        if self._chance.random() >= _LONG:
            return text
        begin = text if text.startswith((fact.value, "I ", "My ")) else text[:1].lower() + text[1:]
        lead = self._chance.choice(self._phrases.leads)
        return lead[:1].upper() + lead[1:] + begin.rstrip(".") + self._chance.choice(self._phrases.tails) + "."

    def _value(self, kind: str) -> str:
        if kind == "number":
            while (number := str(self._chance.randrange(61, 9800))) in self._words:
                pass
            self._words.add(number)
            return number
        return self._invented().capitalize() if kind == "name" else self._invented()

    def _invented(self) -> str:
        """A word of two or three syllables that nobody else says."""
        while True:
            syllables = self._chance.choice((2, 2, 3))
            word = "".join(self._chance.choice(_BEGINNINGS) + self._chance.choice(_VOWELS) for _ in range(syllables))
            word += self._chance.choice(_ENDS)
            if len(word) >= 5 and word not in self._words:
                self._words.add(word)
                return word
