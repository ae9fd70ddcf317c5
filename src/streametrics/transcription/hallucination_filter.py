"""Which words are not believed: one judge for every engine. Pure: figures in, words out.

Whisper invents words where nobody speaks ("Thanks for watching"), guesses at what it cannot make out, and repeats
itself without end. What it says is left out only where the sound or the model's own figures speak against it.
"""

import re
from collections import Counter
from dataclasses import replace

from streametrics.domain.transcript import DecodingStatistics, FilterReason, Segment
from streametrics.transcription.vad import VoiceActivity

#: Whisper's own limits, under which it takes a window for silence: both together.
LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD = -1.0, 0.6
#: A text that compresses better than this repeats itself; also Whisper's own.
COMPRESSION_RATIO_THRESHOLD = 2.4
#: A text that repeats itself may be what was said ("go, go, go"): where the model is as sure as of any sentence, and
#: says by itself that it has ended, a warmer try would only lose words.
CONFIDENT_LOGPROB = -0.6
#: Nobody speaks where the detector's best chance for a tenth of a second stays below; far below its threshold of
#: 0.35, because what is left out here is lost. Whisper's times are this uncertain, in seconds.
NOBODY_SPEAKS_BELOW, TIMESTAMP_TOLERANCE_S = 0.1, 0.5
#: Doubtful words need a voice for this share of their time. Without it, and where the model hears no speech, words have
#: to be surer than this: in loud pink noise one engine counted to 17 at -0.88.
MIN_VOICED_SHARE, UNCERTAIN_LOGPROB = 0.25, -0.5
#: And a voice that the detector is this sure of for a tenth of a second: Silero's own threshold. Speech 10 dB above
#: noise was never below 0.9, noise and crowds that passed the gate were between 0.3 and 0.65.
CLEAR_SPEECH_PROBABILITY = 0.5
#: No one says more than this in a second of voice, in words, or in signs where a script has no spaces.
MAX_WORDS_PER_S, MAX_CHARACTERS_PER_S = 6.0, 15.0
#: What is said so many times in a row, and in at most so many words, may be a loop.
MIN_REPETITIONS, MAX_PHRASE_UNITS = 3, 24


def should_retry(answer: DecodingStatistics) -> bool:
    """Whether an engine should try again, warmer: Whisper's own checks, except that what surely ended is no loop."""
    if answer.average_logprob < LOGPROB_THRESHOLD:
        return answer.no_speech <= NO_SPEECH_THRESHOLD
    if answer.ended and answer.average_logprob >= CONFIDENT_LOGPROB:
        return False
    return answer.compression_ratio > COMPRESSION_RATIO_THRESHOLD


class HallucinationFilter:
    """Hears what is said in one sound, in order; `left_out` counts the words that are not believed."""

    def __init__(self, voice: VoiceActivity) -> None:
        self._voice = voice
        self._last, self._times = "", 0
        self.left_out: Counter[FilterReason] = Counter()

    def apply(self, segment: Segment, *, offset_s: float = 0.0) -> Segment | None:
        """The segment, shortened where it loops; None where nothing of it is believed.

        offset_s: where the segment's window begins in the sound.
        """
        if not segment.text.strip():
            return None
        start_s, end_s = offset_s + segment.start, offset_s + segment.end
        speech_probability = self._voice.speech_probability(
            start_s - TIMESTAMP_TOLERANCE_S, end_s + TIMESTAMP_TOLERANCE_S
        )
        if speech_probability < NOBODY_SPEAKS_BELOW:
            self.left_out[FilterReason.NOBODY] += count_words(segment.text)
            return None
        if segment.statistics is None:
            return segment
        voiced_s = self._voice.voiced_s(start_s, end_s)
        is_faint = speech_probability < CLEAR_SPEECH_PROBABILITY or voiced_s < MIN_VOICED_SHARE * (end_s - start_s)
        if _is_guess(segment.statistics, is_faint=is_faint):
            self.left_out[FilterReason.GUESS] += count_words(segment.text)
            return None
        return self._without_loop(segment, segment.statistics, voiced_s)

    def _without_loop(self, segment: Segment, statistics: DecodingStatistics, voiced_s: float) -> Segment | None:
        said = " ".join(re.findall(r"\w+", segment.text.lower()))
        self._times = self._times + 1 if said == self._last else 1
        self._last = said
        if statistics.compression_ratio <= COMPRESSION_RATIO_THRESHOLD or statistics.ended:
            return segment  # what ends by itself is no loop, however often it repeats itself
        is_endless = statistics.ended is False
        if is_endless and self._times > MIN_REPETITIONS:
            self.left_out[FilterReason.LOOP] += count_words(segment.text)
            return None
        # Where the engine does not tell, a chant may be true: it is cut to what can be said in the time.
        text = cut_loop(segment.text, 0.0 if is_endless else voiced_s)
        lost = count_words(segment.text) - count_words(text)
        if lost == 0:
            return segment
        self.left_out[FilterReason.LOOP] += lost
        return replace(segment, text=text)


def _is_guess(statistics: DecodingStatistics, *, is_faint: bool) -> bool:
    hears_silence = statistics.no_speech > NO_SPEECH_THRESHOLD
    if statistics.average_logprob <= LOGPROB_THRESHOLD:
        return hears_silence or is_faint
    return statistics.average_logprob <= UNCERTAIN_LOGPROB and hears_silence and is_faint


def cut_loop(text: str, voiced_s: float) -> str:
    """The text with each phrase that repeats itself at least `TIMES` times said no oftener than time allows.

    voiced_s: for how long somebody speaks in it. A phrase is kept once in any case.
    """
    units, between = _units(text)
    most = round(voiced_s * (MAX_WORDS_PER_S if between else MAX_CHARACTERS_PER_S))
    spoken = [unit.lower().strip(".,!?…") for unit in units]
    at = 0
    while at < len(units):
        length, times = _longest_repetition(spoken, at)
        if times >= MIN_REPETITIONS and len(units) > most:
            keep = max(1, times - -(-(len(units) - most) // length))
            del units[at + keep * length : at + times * length]
            del spoken[at + keep * length : at + times * length]
            at += keep * length
        else:
            at += 1
    return between.join(units)


def _longest_repetition(units: list[str], at: int) -> tuple[int, int]:
    """The phrase that begins here and repeats itself over the most words: its length, and how often it is said."""
    best = (1, 1)
    for length in range(1, min(MAX_PHRASE_UNITS, (len(units) - at) // 2) + 1):
        phrase, times = units[at : at + length], 1
        while units[at + times * length : at + (times + 1) * length] == phrase:
            times += 1
        if times > 1 and times * length > best[0] * best[1]:
            best = (length, times)
    return best


def count_words(text: str) -> int:
    """Words, or signs in a script without spaces."""
    return len(_units(text)[0])


def _units(text: str) -> tuple[list[str], str]:
    """What a text is made of, and what stands between: words and spaces, or signs and nothing."""
    words = text.split()
    if len(text) > 12 * max(1, len(words)):
        return list(text.strip()), ""
    return words, " "
