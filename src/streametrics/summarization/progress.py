"""Reports the progress of a summary of many calls, as one share and one text that only grow."""

from streametrics.llm.base import OnAnswer
from streametrics.llm.progress import AnswerProgress


class SummaryProgress(AnswerProgress):
    """The progress of all calls of a summary; `on_answer` is its `OnText`."""

    def report(self, share: float, text: str = "") -> None:
        """Report a share and a text; smaller ones than before change nothing, as a retry begins again."""
        self.grow(text, share)

    def without_text(self, begin: float, end: float) -> OnAnswer:
        """Make a callback for a call whose text is no summary: it fills the shares from `begin` to `end`."""
        return lambda _, share: self.report(begin + (end - begin) * share)
