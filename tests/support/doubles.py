"""Small things that stand for parts of the service in tests of others."""

from streametrics.domain.transcript import TimeSpan


class Stop(Exception):
    """What a job that is cancelled raises."""


class ManualClock:
    """A clock that shows what it is set to, in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class NotesInMemory(dict[str, str]):
    """A job's notes by key, and the spans that they are of."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[TimeSpan] = []

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        self[key] = text
        self.spans += [span] if span else []
