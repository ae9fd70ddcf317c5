"""What the owner of a streamer's streams has said about them."""

from dataclasses import dataclass
from functools import cached_property

from streametrics.streams.hidden_words import Phrase, phrases_to_hide


@dataclass(frozen=True)
class StreamerSettings:
    """Settings of one streamer. paused_at: seconds since 1970, None while chunks are heard.

    transcript_days, recap_days: for how long words, and streams, are kept after a stream's end; None for as long as the
    service keeps them.
    """

    paused_at: float | None = None
    hidden_words: tuple[str, ...] = ()
    summary_languages: tuple[str, ...] = ()
    transcript_days: float | None = None
    recap_days: float | None = None

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """The hidden words, as they are looked for."""
        return phrases_to_hide(self.hidden_words)


NOTHING_SAID = StreamerSettings()
