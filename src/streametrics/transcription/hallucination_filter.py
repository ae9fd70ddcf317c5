"""Removes hallucinated words from a transcript, in the same way for every engine. No I/O.

Whisper invents words where nobody speaks ("Thanks for watching"), guesses at what it cannot make out, and repeats
itself without end. Its words are removed only where the voice detector or the model's own statistics contradict them.
"""

import re
from collections import Counter
from dataclasses import replace
from itertools import compress

from streametrics.domain.transcript import DecodingStatistics, FilterReason, Segment, Word
from streametrics.transcription.vad import VoiceActivity

#: Whisper's own thresholds: it takes a window for silence where both are crossed.
LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD = -1.0, 0.6
#: Whisper's own as well: a text that compresses better than this repeats itself.
COMPRESSION_RATIO_THRESHOLD = 2.4
#: A text that repeats itself may be what was said ("go, go, go"). Where the model is this confident and ended the text
#: by itself, a retry at a higher temperature would only lose words.
CONFIDENT_LOGPROB = -0.6
#: Nobody speaks where the speech probability, averaged over a tenth of a second, stays below the first number. It is
#: far below the detector's own threshold of 0.35, because words that are removed here are lost. The second number is
#: how far Whisper's timestamps may be off, in seconds.
NOBODY_SPEAKS_BELOW, TIMESTAMP_TOLERANCE_S = 0.1, 0.5
#: The less confident the model is, the higher the speech probability has to be, averaged over half a second: by this
#: much for each unit of mean log probability, so that below about -1.3 no voice is enough. In 8 hours without a word
#: that two engines heard, no text that does not repeat itself came nearer than 0.53; of speech 5 dB above a noise or
#: more, what lies below 0.87 was made up too (docs/decisions/0029 has both curves).
SPEECH_PER_LOGPROB, SUSTAINED_S = 0.75, 0.5
#: The same that a text needs which compresses better than this, however confident the model is, as it is confident of
#: loops too. Ordinary speech compresses up to 1.9 and has more than 0.8 half a second long at 5 dB above a noise and
#: more; without a word the highest beside a text that compresses at all was 0.5.
REPETITIVE_ABOVE, CLEAR_SPEECH_PROBABILITY = 1.8, 0.8
#: Nobody says more in a second of voice: words, or characters of a script without spaces.
MAX_WORDS_PER_S, MAX_CHARACTERS_PER_S = 6.0, 15.0
#: A phrase that is repeated so many times in a row may be a loop; longer phrases are not looked for.
MIN_REPETITIONS, MAX_PHRASE_UNITS = 3, 24


def should_retry(statistics: DecodingStatistics) -> bool:
    """Decide whether an engine decodes a window again at a higher temperature.

    These are Whisper's own checks, except that a confident text which ended by itself is no loop.
    """
    if statistics.average_logprob < LOGPROB_THRESHOLD:
        return statistics.no_speech <= NO_SPEECH_THRESHOLD
    if statistics.ended and statistics.average_logprob >= CONFIDENT_LOGPROB:
        return False
    return statistics.compression_ratio > COMPRESSION_RATIO_THRESHOLD


class HallucinationFilter:
    """Filters the segments of one request, given in order; `left_out` counts the removed words by reason."""

    def __init__(self, voice_activity: VoiceActivity) -> None:
        self._voice_activity = voice_activity
        self._last, self._times = "", 0
        self.left_out: Counter[FilterReason] = Counter()

    def apply(self, segment: Segment, *, offset_s: float = 0.0) -> Segment | None:
        """Return the segment, shortened where it loops, or None where all of it is hallucinated.

        offset_s: where the segment's window begins in the request's audio.
        """
        if not segment.text.strip():
            return None
        start_s, end_s = offset_s + segment.start, offset_s + segment.end
        around = start_s - TIMESTAMP_TOLERANCE_S, end_s + TIMESTAMP_TOLERANCE_S
        if self._voice_activity.speech_probability(*around) < NOBODY_SPEAKS_BELOW:
            self.left_out[FilterReason.NOBODY] += count_words(segment.text)
            return None
        if segment.statistics is None:
            return segment
        if not is_voiced(segment, self._voice_activity, *around):
            self.left_out[FilterReason.GUESS] += count_words(segment.text)
            return None
        return self._without_loop(segment, segment.statistics, self._voice_activity.voiced_s(start_s, end_s))

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
        stays = _characters_that_stay(segment.text, 0.0 if is_endless else voiced_s)
        text = _cut(segment.text, stays)
        lost = count_words(segment.text) - count_words(text)
        if lost == 0:
            return segment
        self.left_out[FilterReason.LOOP] += lost
        return replace(segment, text=text, words=_cut_words(segment, stays))


def is_voiced(segment: Segment, voice_activity: VoiceActivity, start_s: float, end_s: float) -> bool:
    """Tell whether between two times there is as much of a voice as the engine's doubts about a segment ask for."""
    if segment.statistics is None:
        return True
    sustained = voice_activity.speech_probability(start_s, end_s, over_s=SUSTAINED_S)
    return sustained >= required_speech_probability(segment.statistics)


def required_speech_probability(statistics: DecodingStatistics) -> float:
    """Return the speech probability, over half a second, that words need to be kept; above 1 they never are."""
    repeats = statistics.compression_ratio > REPETITIVE_ABOVE
    return max(CLEAR_SPEECH_PROBABILITY if repeats else 0.0, -SPEECH_PER_LOGPROB * statistics.average_logprob)


def cut_loop(text: str, voiced_s: float) -> str:
    """Cut phrases that repeat at least MIN_REPETITIONS times down to what can be said in `voiced_s` seconds of voice.

    A phrase is kept once in any case.
    """
    return _cut(text, _characters_that_stay(text, voiced_s))


def _cut(text: str, stays: list[bool]) -> str:
    return "".join(compress(text, stays)).strip()


def _cut_words(segment: Segment, stays: list[bool]) -> tuple[Word, ...]:
    """Return what stays of a segment's words, whose texts in a row are the segment's."""
    joined = "".join(word.text for word in segment.words)
    if joined.strip() != segment.text.strip():
        return ()
    at = segment.text.find(joined.strip()) - (len(joined) - len(joined.lstrip()))
    cut: list[Word] = []
    space = ""
    for word in segment.words:
        # The space before a segment's first word may not be part of its text.
        text = space + "".join(
            character for number, character in enumerate(word.text, at) if not 0 <= number < len(stays) or stays[number]
        )
        at += len(word.text)
        if text.strip():
            cut.append(replace(word, text=text))
        # Where nothing but the space before a word stays, it stands before the next.
        space = "" if text.strip() else text
    return tuple(cut)


def _characters_that_stay(text: str, voiced_s: float) -> list[bool]:
    """Tell of each character of a text whether it stays: a unit goes with the space before it."""
    units, between = _units(text)
    if not units:
        return [True] * len(text)
    most = round(voiced_s * (MAX_WORDS_PER_S if between else MAX_CHARACTERS_PER_S))
    pieces = re.findall(r"\s*\S+", text) if between else [text[: len(text) - len(text.lstrip()) + 1], *units[1:]]
    stays = [
        stays for piece, stays in zip(pieces, _units_that_stay(units, most), strict=True) for _ in range(len(piece))
    ]
    return stays + [True] * (len(text) - len(stays))


def _units_that_stay(units: list[str], most: int) -> list[bool]:
    """Tell of each unit whether it stays, where only so many can have been said."""
    spoken = [unit.lower().strip(".,!?…") for unit in units]
    stays = [True] * len(units)
    at, left = 0, len(units)
    while at < len(units):
        length, times = _longest_repetition(spoken, at)
        if times >= MIN_REPETITIONS and left > most:
            keep = max(1, times - -(-(left - most) // length))
            end = at + times * length
            stays[at + keep * length : end] = [False] * (end - at - keep * length)
            left -= (times - keep) * length
            at = end
        else:
            at += 1
    return stays


def _longest_repetition(units: list[str], at: int) -> tuple[int, int]:
    """Find the repetition from `at` on that covers the most units: its phrase's length, and how often it occurs."""
    best = (1, 1)
    for length in range(1, min(MAX_PHRASE_UNITS, (len(units) - at) // 2) + 1):
        phrase, times = units[at : at + length], 1
        while units[at + times * length : at + (times + 1) * length] == phrase:
            times += 1
        if times > 1 and times * length > best[0] * best[1]:
            best = (length, times)
    return best


def count_words(text: str) -> int:
    """Count the words of a text, or the characters of a script without spaces."""
    return len(_units(text)[0])


def _units(text: str) -> tuple[list[str], str]:
    """Split a text into words or, where its script has no spaces, characters; and return what joins them again."""
    words = text.split()
    if len(text) > 12 * max(1, len(words)):
        return list(text.strip()), ""
    return words, " "
