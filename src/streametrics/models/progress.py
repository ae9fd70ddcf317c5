"""Telling the caller of text that grows, and remembering what the caller raised."""

from collections.abc import Callable


class Progress:
    """A second try stays unheard until it is past the first one, so that no reader sees text taken back."""

    def __init__(self, on_answer: Callable[[str, float], None] | None) -> None:
        #: What `on_answer` raised: it wants the call to end, so that no retry may swallow it.
        self.stopped_by: BaseException | None = None
        self._on_answer = on_answer
        self._text = ""
        self._share = 0.0

    def grow(self, text: str, share: float) -> None:
        """text: all of it so far. share: of the tokens that the answer may have, 0…1."""
        self._share = max(self._share, min(share, 1.0))
        if len(text) >= len(self._text):
            self._text = text
        self.beat()

    def beat(self) -> None:
        """While nothing comes: in the queue for a turn, while the model loads, between two tries."""
        if self._on_answer is None:
            return
        try:
            self._on_answer(self._text, self._share)
        except BaseException as error:
            self.stopped_by = error
            raise
