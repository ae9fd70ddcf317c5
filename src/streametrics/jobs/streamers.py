"""Serves what the owner of a streamer's streams says about them: pauses, hidden words, how long they are kept."""

from dataclasses import dataclass, replace

from streametrics.auth.principal import Principal, Scope
from streametrics.errors import StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.jobs.hiding import StoredWords, checked_hidden_words
from streametrics.jobs.stream_control import StreamControl
from streametrics.streams.streamer_settings import NOTHING_SAID, StreamerSettings

#: For how long a call waits until words of before are hidden, in seconds; the rest is done behind its answer.
HIDING_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Streamer:
    """A streamer, by the newest stream if there is one, and what is said about it."""

    owner: str
    key: str
    name: str
    settings: StreamerSettings


@dataclass(frozen=True, slots=True)
class StreamerChange:
    """What is to be said from now on; None for what stays."""

    hidden_words: list[str] | None = None
    summary_languages: list[str] | None = None
    retention: tuple[float | None, float | None] | None = None
    is_paused: bool | None = None


class StreamerService:
    """Reads and changes the settings of streamers. Thread-safe."""

    def __init__(self, connections: Connections, control: StreamControl) -> None:
        self._connections = connections
        self._control = control
        self._words = StoredWords(connections)

    def get(self, key: str, principal: Principal) -> Streamer:
        """Read a streamer's settings. Raises StreamUnknown for one without a stream, of whom nothing is said."""
        return self._find(key, principal)

    def change(self, key: str, principal: Principal, change: StreamerChange) -> tuple[Streamer, bool]:
        """Change a streamer's settings; returns them, and whether words of before are hidden. Raises StreamUnknown."""
        streamer = self._find(key, principal)
        values: dict[str, object] = {}
        if change.hidden_words is not None:
            values["hidden_words"] = checked_hidden_words(change.hidden_words)
        if change.summary_languages is not None:
            values["summary_languages"] = list(dict.fromkeys(change.summary_languages))
        if change.retention is not None:
            values["transcript_days"], values["recap_days"] = change.retention
        hides = bool(values.get("hidden_words"))
        if values:
            self._connections.streamers.write(streamer.owner, key, values, hides=hides)
        if change.is_paused is not None:
            self._control.set_paused(streamer.owner, key, is_paused=change.is_paused)
        is_hidden = not hides or self._words.hide(streamer.owner, key, within_s=HIDING_WAIT_S)
        settings = self._connections.streamers.get(streamer.owner, key) or NOTHING_SAID
        return replace(streamer, settings=settings), is_hidden

    def hide_rest(self, streamer: Streamer) -> None:
        """Hide what a change has left."""
        self._words.hide(streamer.owner, streamer.key)

    def _find(self, key: str, principal: Principal) -> Streamer:
        """Find the principal's own streamer; for an administrator, who has none of this key, another one's."""
        if "\x00" not in key:
            streams = self._connections.streams
            newest = streams.newest(principal.owner, key)
            if newest is None and principal.scope is Scope.ADMIN:
                newest = streams.newest(None, key)
            if newest is not None:
                return Streamer(newest.owner, key, newest.streamer, newest.said)
            settings = self._connections.streamers.get(principal.owner, key)
            if settings is not None:
                return Streamer(principal.owner, key, key, settings)
        raise StreamUnknown("There is no stream of this streamer: check the key, or send a chunk.")
