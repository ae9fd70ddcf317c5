"""Hides words that were said before their owner has named them, wherever they are found."""

import time
from itertools import groupby

from streametrics.jobs.connections import Connections
from streametrics.streams.hidden_words import phrases_to_hide

#: Segments that one step looks at.
PAGE = 200


class StoredWords:
    """The words of streams that are stored already. Thread-safe."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def hide_all(self) -> None:
        """Hide what is still to be hidden of any streamer's, as a process died over it."""
        for owner, key in self._connections.streamers.to_hide():
            self.hide(owner, key)

    def hide(self, owner: str, streamer_key: str, *, within_s: float | None = None) -> bool:
        """Hide a streamer's hidden words in what is stored; False where more is left after `within_s` seconds."""
        settings = self._connections.streamers.get(owner, streamer_key)
        if settings is None:
            return True
        until = None if within_s is None else time.monotonic() + within_s
        for phrase in settings.phrases:
            before: int | None = None
            while hits := self._connections.stream_search.find(
                [phrase], owner, streamer_key=streamer_key, before=before, limit=PAGE
            ):
                for number, found in groupby(hits, key=lambda hit: hit.stream.number):
                    self._connections.hiding.hide(number, [hit.place for hit in found], settings.phrases)
                before = hits[-1].place
                if until is not None and time.monotonic() > until:
                    return False
        self._connections.streamers.hidden(owner, streamer_key, settings.hidden_words)
        return True


def checked_hidden_words(given: list[str]) -> list[str]:
    """Leave out words that are named twice."""
    named: dict[tuple[str, ...], str] = {}
    for word in given:
        for phrase in phrases_to_hide([word]):
            named.setdefault(phrase, word.strip())
    return list(named.values())
