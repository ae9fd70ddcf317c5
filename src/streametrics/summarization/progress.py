"""How far a summary of many calls is, as one share and one text that only grow."""

from streametrics.llm.base import OnAnswer
from streametrics.summarization.base import OnText


class Progress:
    """Tells `on_text`; remembers what it raised, so that no retry swallows it."""

    def __init__(self, on_text: OnText | None) -> None:
        self.stopped_by: BaseException | None = None
        #: Of the whole work, 0…1.
        self.share = 0.0
        self._on_text = on_text
        self._text = ""

    def tell(self, share: float, text: str = "") -> None:
        """A share or a text smaller than the one before changes nothing: a second try begins again."""
        self.share = max(self.share, min(share, 1.0))
        if len(text) >= len(self._text):
            self._text = text
        if self._on_text is None:
            return
        try:
            self._on_text(self._text, self.share)
        except BaseException as error:
            self.stopped_by = error
            raise

    def unseen(self, begin: float, end: float) -> OnAnswer:
        """For a call whose text is no summary: it fills the shares from `begin` to `end`."""
        return lambda _, share: self.tell(begin + (end - begin) * share)
