"""Reports how far an answer is, and remembers the error by which its reader ended the call."""

from streametrics.llm.base import OnAnswer


class AnswerProgress:
    """Reports a growing answer. A retry is not reported until it is longer, so that no reader sees text taken back."""

    def __init__(self, on_answer: OnAnswer | None) -> None:
        #: What `on_answer` raised: it wants the call to end, so that no retry may swallow it.
        self.stopped_by: BaseException | None = None
        #: Of what there is to write, 0…1.
        self.share = 0.0
        self._on_answer = on_answer
        self._text = ""

    def grow(self, text: str, share: float) -> None:
        """text: all of it so far. share: of the tokens that the answer may have, 0…1."""
        self.share = max(self.share, min(share, 1.0))
        if len(text) >= len(self._text):
            self._text = text
        self.on_wait()

    def on_wait(self) -> None:
        """Report again while nothing comes: waiting for a slot, loading the model, between two tries."""
        if self._on_answer is None:
            return
        try:
            self._on_answer(self._text, self.share)
        except BaseException as error:
            self.stopped_by = error
            raise
