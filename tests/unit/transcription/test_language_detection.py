"""Languages by stretch: only doubtful windows are looked at closely, and only what is certain changes a language."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, Segment
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.language_detection import (
    WindowLanguage,
    detect_languages,
    doubtful_stretches,
    probe_stretches,
    trusted_from,
)
from streametrics.transcription.vad import SampleSpan

Detected = tuple[str, float]


class Scripted:
    """Detects what it is told to, for windows and for stretches; `probed` are the lengths asked for, in seconds."""

    def __init__(self, windows: Sequence[Detected], stretches: Sequence[Detected] = ()) -> None:
        self._windows, self._stretches = list(windows), list(stretches)
        self.probed: list[float] = []

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[Detected]:
        return [self._windows.pop(0) for _ in windows]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[Detected]:
        self.probed += [len(samples) / SAMPLE_RATE_HZ for samples in stretches]
        return [self._stretches.pop(0) for _ in stretches]

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        raise NotImplementedError


def window(*stretches: tuple[float, float]) -> SpeechWindow:
    spans = tuple(SampleSpan(int(a * SAMPLE_RATE_HZ), int(b * SAMPLE_RATE_HZ)) for a, b in stretches)
    end = spans[-1].end
    return SpeechWindow(np.zeros(end, np.float32), end / SAMPLE_RATE_HZ, spans)


TWO = window((0.5, 3.0), (4.0, 8.0))


def test_a_window_of_one_language_is_not_looked_at_again() -> None:
    context = Scripted([("en", 0.97)])

    assert detect_languages(context, [TWO], [True]) == [WindowLanguage("en", 0.97)]
    assert context.probed == []


def test_the_stretches_of_a_doubtful_window_are_looked_at_with_a_little_around_them() -> None:
    context = Scripted([("fr", 0.6)], [("en", 0.99), ("fr", 0.98)])

    [found] = detect_languages(context, [TWO], [True])

    assert [code for _, code in found.changes] == ["en", "fr"]
    assert [span for span, _ in found.changes] == list(TWO.stretches)
    assert context.probed == pytest.approx([3.1, 4.3])


def test_a_window_whose_language_is_known_is_not_looked_at() -> None:
    context = Scripted([("fr", 0.6), ("fr", 0.6)], [("en", 0.99), ("fr", 0.98)])

    known, asked = detect_languages(context, [TWO, TWO], [False, True])

    assert (known.changes, [code for _, code in asked.changes]) == ((), ["en", "fr"])


def test_a_single_stretch_is_one_language_however_doubtful() -> None:
    context = Scripted([("en", 0.2)])

    assert detect_languages(context, [window((0.0, 9.0))], [True])[0].changes == ()
    assert context.probed == []


def test_what_is_not_certain_is_taken_for_what_is_spoken_before_it() -> None:
    context = Scripted([], [("cy", 0.3), ("en", 0.9), ("la", 0.45), ("fr", 0.95), ("ca", 0.3)])
    five = window((0.0, 2.5), (3.0, 6.0), (6.5, 9.0), (9.5, 12.0), (12.5, 15.0))

    found = probe_stretches(context, five, WindowLanguage("fr", 0.5))

    assert [code for _, code in found.changes] == ["en", "en", "en", "fr", "fr"]


@pytest.mark.parametrize(
    "stretches", [[("fr", 0.9), ("fr", 0.8)], [("cy", 0.3), ("la", 0.4)], [("fr", 0.9), ("ca", 0.3)]]
)
def test_where_nothing_else_is_certain_the_windows_language_stands(stretches: list[Detected]) -> None:
    found = probe_stretches(Scripted([], stretches), TWO, WindowLanguage("fr", 0.5))

    assert found == WindowLanguage("fr", 0.5, is_probed=True)


def test_a_window_taken_for_another_language_than_all_of_its_stretches_is_in_theirs() -> None:
    found = probe_stretches(Scripted([], [("en", 0.9), ("en", 0.8)]), TWO, WindowLanguage("cy", 0.5))

    assert [code for _, code in found.changes] == ["en", "en"]


def test_a_window_that_is_more_certain_than_each_of_its_stretches_keeps_its_language() -> None:
    context = Scripted([("es", 0.85)], [("it", 0.7), ("es", 0.4)])

    assert detect_languages(context, [TWO], [True]) == [WindowLanguage("es", 0.85, is_probed=True)]


def test_a_short_stretch_has_to_be_more_certain() -> None:
    assert trusted_from(4.0) == trusted_from(2.0) == 0.5
    assert trusted_from(0.3) == trusted_from(0.7) == pytest.approx(0.65)
    assert 0.5 < trusted_from(1.2) < 0.65


def decoded(start: float, end: float, *, window: float, own: float | None) -> Segment:
    return Segment(start, end, "word", DecodingStatistics(window, 0.1, 1.0, 0.0, segment_logprob=own))


def test_all_of_a_window_that_is_decoded_with_little_confidence_is_doubtful() -> None:
    assert doubtful_stretches(TWO, [decoded(0.0, 8.0, window=-0.99, own=None)]) == [0, 1]


def test_of_a_window_that_is_decoded_with_confidence_what_lacks_it_is_doubtful() -> None:
    segments = [decoded(0.0, 3.4, window=-0.4, own=-1.2), decoded(3.4, 8.0, window=-0.4, own=-0.2)]

    assert doubtful_stretches(TWO, segments) == [0]


def test_a_window_that_is_decoded_with_confidence_is_not_doubtful() -> None:
    assert doubtful_stretches(TWO, [decoded(0.0, 8.0, window=-0.4, own=-0.5), Segment(0.0, 1.0, "word")]) == []
    assert doubtful_stretches(TWO, []) == []


def test_only_the_doubtful_stretches_are_looked_at() -> None:
    context = Scripted([], [("es", 0.9)])

    found = probe_stretches(context, TWO, WindowLanguage("fr", 0.98), [0])

    assert [code for _, code in found.changes] == ["es", "fr"]
    assert context.probed == pytest.approx([3.1])
