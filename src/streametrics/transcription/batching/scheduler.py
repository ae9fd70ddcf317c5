"""Leads an engine over all speech of one sound, or of several in common passes.

A pass of a model takes a number of windows of speech, and whose they are does not matter to it. So windows of
several sounds share passes; each sound is told of its own words alone, and what goes wrong with one ends that one.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Transcript
from streametrics.transcription.base import OnSegment, Outcome, Sound
from streametrics.transcription.batching.execution import Found, Lanes, News, Over, Pass, Said
from streametrics.transcription.batching.request import OneSound, Window
from streametrics.transcription.engine import Engine

#: An idle lane asks for another sound as often as this while other lanes are at work, in seconds.
ASK_EVERY_S = 0.2
#: What `next` gives behind the last sound.
_END = object()

logger = logging.getLogger(__name__)


def transcribe_speech(
    engine: Engine, samples: Samples, *, speech_language: str | None, on_segment: OnSegment | None
) -> Transcript:
    """Lead `engine` over all speech in `samples` (16 kHz, mono, -1…1); times stay those of `samples`.

    Without `speech_language` each window's language is detected, so a stream may change it; the transcript's
    language is the one that was spoken longest. Raises TranscriptionFailed where the engine does not know
    `speech_language`; whatever `on_segment` raises passes through.
    """
    ((_, outcome),) = transcribe_together(engine, [Sound(samples, speech_language, on_segment)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def transcribe_together(engine: Engine, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
    """The same for several sounds: each one's number, in the order given, and what became of it.

    A sound is asked for when there is room for it, so the first does not wait until the last is decoded. When a
    pass fails, each sound in it is heard by itself, once. None among the sounds: see `Transcriber`.
    """
    with Lanes(engine.lanes) as lanes:
        yield from _Together(engine, lanes, sounds).outcomes()


class _Together:
    """Sounds that are heard together. waiting: windows that no pass has taken yet, in the order in which they came.

    is_more: other sounds may come; none_now: but there was none when it was asked for last.
    """

    def __init__(self, engine: Engine, lanes: Lanes, sounds: Iterable[Sound | None]) -> None:
        self._engine, self._lanes = engine, lanes
        self._coming, self._asked = iter(sounds), 0
        self._is_more, self._none_now = True, False
        self._sounds: list[OneSound] = []
        self._waiting: list[Window] = []
        self._again: list[list[Window]] = []

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """As each is known. A lane that is idle comes first, and what was said before another sound is asked for."""
        lanes = self._lanes
        while self._is_more or self._sounds:
            for running in lanes.passes:
                running.let_decode()
            if lanes.has_news:
                self._take(lanes.news())
            elif lanes.idle and (chosen := self._next_pass()):
                lanes.begin(Pass(chosen))
            elif self._has_room:
                self._ask()
            elif lanes.passes:
                self._take(lanes.news(ASK_EVERY_S if lanes.idle and self._is_more else None))
            yield from self._over()

    def _over(self) -> Iterator[tuple[int, Outcome]]:
        """Take those out that have ended, and say how."""
        for sound in list(self._sounds):
            if sound.outcome is not None:
                self._sounds.remove(sound)
                yield sound.number, sound.outcome

    @property
    def _has_room(self) -> bool:
        """Whether another sound is to be asked for: for an idle lane, or ahead while all of them are at work."""
        is_time = self._lanes.idle > 0 or self._lanes.are_several
        return self._may_come and is_time and len(self._waiting) < self._engine.windows_at_once

    @property
    def _may_come(self) -> bool:
        return self._is_more and not (self._none_now and self._sounds)

    def _ask(self) -> None:
        following = next(self._coming, _END)
        if isinstance(following, Sound):
            sound = OneSound(self._engine, self._asked, following)
            self._asked += 1
            self._sounds.append(sound)
            self._waiting += sound.windows
        else:
            self._none_now = True
            self._is_more = following is None and bool(self._sounds)

    def _next_pass(self) -> list[Window]:
        """The windows of the sounds that came first, an idle lane's share of them; [] where there are too few.

        Sounds in the background come last. Their passes are half as long, so that others which come meanwhile have
        their turn soon, and they share none with them.
        """
        in_line = chain(self._waiting, *self._again)
        for sound in dict.fromkeys(window.sound for window in in_line):
            sound.check()
        self._again = [windows for windows in self._again if windows[0].sound.outcome is None]
        if self._again:
            return self._again.pop(0)
        self._waiting = [window for window in self._waiting if window.sound.outcome is None]
        most = self._engine.windows_at_once
        if self._may_come:
            if len(self._waiting) < most:
                return []
            if self._lanes.passes and not self._foreground:
                self._ask()  # what has come while they are at work may be one to go first
        line = self._foreground
        if not line:
            line, most = self._waiting, max(1, most // 2)
        # The last windows are for all lanes, so that none of them is at work long after the others.
        lanes = self._lanes.idle if self._may_come else self._lanes.count
        fair = -(-len(line) // lanes)
        chosen = line[: min(fair, most)]
        self._waiting = [window for window in self._waiting if window not in chosen]
        return chosen

    @property
    def _foreground(self) -> list[Window]:
        return [window for window in self._waiting if not window.sound.background]

    def _take(self, happened: tuple[Pass, News] | None) -> None:
        if happened is None:
            self._none_now = False
            return
        each, news = happened
        if isinstance(news, Over):
            self._none_now = False
        match news:
            case Found(languages):
                for window, found in zip(each.windows, languages, strict=True):
                    window.found = found
                for sound in each.sounds:
                    sound.follow()
            case Said(window, part):
                if window.sound.outcome is None:
                    window.sound.tell(window, part)
            case Over(None):
                for window in each.windows:
                    if not window.is_heard and window.sound.outcome is None:
                        window.sound.tell(window, None)
            case Over(error):
                assert error is not None
                self._after(error, each)

    def _after(self, error: Exception, failed: Pass) -> None:
        """Each of its sounds by itself; the error is that of a sound which was by itself already."""
        sounds = failed.sounds
        if len(sounds) > 1:
            logger.warning("a pass of %d sounds failed, each is heard by itself: %r", len(sounds), error)
        for sound in sounds:
            rest = [window for window in failed.windows if window.sound is sound and not window.is_heard]
            if sound.outcome is None and rest:
                if len(sounds) == 1 or any(window.is_told for window in rest):
                    sound.outcome = error
                else:
                    self._again.append(rest)
        # In order: where all lanes but one wait for the language of an earlier window, that one must not wait too.
        self._again.sort(key=lambda windows: (windows[0].sound.number, windows[0].span.start))
