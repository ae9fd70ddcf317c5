"""Makes what was said, for the tests of recaps."""

import random

from streametrics.domain.transcript import Segment
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences

_AS_LETTERS = str.maketrans("0123456789", "bdfghklmnp")


def spoken(*texts: str, start_s: float = 0.0, each_s: float = 5.0) -> list[SpokenSentence]:
    """One segment a text, one behind the other."""
    return spoken_sentences(
        NumberedSegment(number, Segment(start_s + number * each_s, start_s + (number + 1) * each_s, text))
        for number, text in enumerate(texts)
    )


def talk(topics: list[int], *, minutes: float = 6.0, seed: int = 1) -> list[NumberedSegment]:
    """Segments of 5 s that tell of one topic after the other: half of their words are the topic's own."""
    chance = random.Random(seed)
    common = [f"{number:02}".translate(_AS_LETTERS) + "common" for number in range(60)]
    own = {topic: [f"{topic:02}{number:02}".translate(_AS_LETTERS) + "own" for number in range(25)] for topic in topics}
    segments: list[NumberedSegment] = []
    for position, topic in enumerate(topics):
        for index in range(round(minutes * 12)):
            start_s = position * minutes * 60 + index * 5
            words = [chance.choice(own[topic] if chance.random() < 0.5 else common) for _ in range(10)]
            segments.append(NumberedSegment(len(segments), Segment(start_s, start_s + 5, " ".join(words) + ".")))
    return segments
