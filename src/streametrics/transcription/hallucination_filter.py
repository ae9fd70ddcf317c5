"""Which words are not believed: one judge for every engine. Pure: figures in, words out.

Whisper invents words where nobody speaks ("Thanks for watching"), guesses at what it cannot make out, and repeats
itself without end. What it says is left out only where the sound or the model's own figures speak against it.
"""

import re
from collections import Counter
from dataclasses import replace

from streametrics.domain.transcript import Evidence, LeftOut, Segment
from streametrics.transcription.vad import Voice

#: Whisper's own limits, under which it takes a window for silence: both together.
LEAST_LOGPROB, MOST_SILENT = -1.0, 0.6
#: A text that compresses better than this repeats itself; also Whisper's own.
MOST_COMPRESSED = 2.4
#: A text that repeats itself may be what was said ("go, go, go"): where the model is as sure as of any sentence, and
#: says by itself that it has ended, a warmer try would only lose words.
SURE_LOGPROB = -0.6
#: Nobody speaks where the detector's best chance for a tenth of a second stays below; far below its threshold of
#: 0.35, because what is left out here is lost. Whisper's times are this uncertain, in seconds.
NOBODY_BELOW, UNCERTAIN_S = 0.1, 0.5
#: The less sure the model is, the surer the voice detector has to be, over half a second: by so much for each unit of
#: mean log probability, so that below about -1.5 no voice is sure enough. Without a word no text came nearer than 0.53;
#: of speech 5 dB above a noise and more, what lies below 0.87 was made up too (docs/decisions/0029 has both curves).
VOICE_PER_LOGPROB, SUSTAINED_S = 0.65, 0.5
#: A text that repeats itself needs a clear voice however sure the model is, because a loop is sure of itself. Without a
#: word, the detector was never above 0.5 beside one; it is above 0.9 for speech 10 dB above a noise.
CLEAR_VOICE = 0.8
#: No one says more than this in a second of voice, in words, or in signs where a script has no spaces.
MOST_WORDS_PER_S, MOST_SIGNS_PER_S = 6.0, 15.0
#: What is said so many times in a row, and in at most so many words, may be a loop.
TIMES, LONGEST_PHRASE = 3, 24


def is_worth_another_try(answer: Evidence) -> bool:
    """Whether an engine should try again, warmer: Whisper's own checks, except that what surely ended is no loop."""
    if answer.average_logprob < LEAST_LOGPROB:
        return answer.no_speech <= MOST_SILENT
    if answer.ended and answer.average_logprob >= SURE_LOGPROB:
        return False
    return answer.compression_ratio > MOST_COMPRESSED


class Judge:
    """Hears what is said in one sound, in order; `left_out` counts the words that are not believed."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._last, self._times = "", 0
        self.left_out: Counter[LeftOut] = Counter()

    def believed(self, segment: Segment, *, offset_s: float = 0.0) -> Segment | None:
        """The segment, shortened where it loops; None where nothing of it is believed.

        offset_s: where the segment's window begins in the sound.
        """
        if not segment.text.strip():
            return None
        start_s, end_s = offset_s + segment.start, offset_s + segment.end
        chance = self._voice.chance(start_s - UNCERTAIN_S, end_s + UNCERTAIN_S)
        if chance < NOBODY_BELOW:
            self.left_out[LeftOut.NOBODY] += count(segment.text)
            return None
        if segment.evidence is None:
            return segment
        sustained = self._voice.chance(start_s - UNCERTAIN_S, end_s + UNCERTAIN_S, over_s=SUSTAINED_S)
        if sustained < voice_needed(segment.evidence):
            self.left_out[LeftOut.GUESS] += count(segment.text)
            return None
        return self._without_loop(segment, segment.evidence, self._voice.voiced_s(start_s, end_s))

    def _without_loop(self, segment: Segment, evidence: Evidence, voiced_s: float) -> Segment | None:
        said = " ".join(re.findall(r"\w+", segment.text.lower()))
        self._times = self._times + 1 if said == self._last else 1
        self._last = said
        if evidence.compression_ratio <= MOST_COMPRESSED or evidence.ended:
            return segment  # what ends by itself is no loop, however often it repeats itself
        is_endless = evidence.ended is False
        if is_endless and self._times > TIMES:
            self.left_out[LeftOut.LOOP] += count(segment.text)
            return None
        # Where the engine does not tell, a chant may be true: it is cut to what can be said in the time.
        text = cut_loop(segment.text, 0.0 if is_endless else voiced_s)
        lost = count(segment.text) - count(text)
        if lost == 0:
            return segment
        self.left_out[LeftOut.LOOP] += lost
        return replace(segment, text=text)


def voice_needed(evidence: Evidence) -> float:
    """How sure the voice detector has to be (0…1, over half a second) for words to be believed; above 1: never."""
    repeats = evidence.compression_ratio > MOST_COMPRESSED
    return max(CLEAR_VOICE if repeats else 0.0, -VOICE_PER_LOGPROB * evidence.average_logprob)


def cut_loop(text: str, voiced_s: float) -> str:
    """The text with each phrase that repeats itself at least `TIMES` times said no oftener than time allows.

    voiced_s: for how long somebody speaks in it. A phrase is kept once in any case.
    """
    units, between = _units(text)
    most = round(voiced_s * (MOST_WORDS_PER_S if between else MOST_SIGNS_PER_S))
    spoken = [unit.lower().strip(".,!?…") for unit in units]
    at = 0
    while at < len(units):
        length, times = _run(spoken, at)
        if times >= TIMES and len(units) > most:
            keep = max(1, times - -(-(len(units) - most) // length))
            del units[at + keep * length : at + times * length]
            del spoken[at + keep * length : at + times * length]
            at += keep * length
        else:
            at += 1
    return between.join(units)


def _run(units: list[str], at: int) -> tuple[int, int]:
    """The phrase that begins here and repeats itself over the most words: its length, and how often it is said."""
    best = (1, 1)
    for length in range(1, min(LONGEST_PHRASE, (len(units) - at) // 2) + 1):
        phrase, times = units[at : at + length], 1
        while units[at + times * length : at + (times + 1) * length] == phrase:
            times += 1
        if times > 1 and times * length > best[0] * best[1]:
            best = (length, times)
    return best


def count(text: str) -> int:
    """Words, or signs in a script without spaces."""
    return len(_units(text)[0])


def _units(text: str) -> tuple[list[str], str]:
    """What a text is made of, and what stands between: words and spaces, or signs and nothing."""
    words = text.split()
    if len(text) > 12 * max(1, len(words)):
        return list(text.strip()), ""
    return words, " "
