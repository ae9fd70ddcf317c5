"""The writers of summaries, one file each; this chooses one and imports no other."""

from typing import assert_never

from streametrics.settings import Settings
from streametrics.summarizer import Summarizer


def create(settings: Settings) -> Summarizer:
    """The writer that SUMMARIZER names; Ollama's with SUMMARY_FALLBACK behind it."""
    match settings.summarizer:
        case "ollama":
            from streametrics.summarizers.ollama import OllamaSummarizer

            return _with_fallback(OllamaSummarizer(settings), settings)
        case "extractive":
            from streametrics.summarizers.extractive import ExtractiveSummarizer

            return ExtractiveSummarizer()
        case "fake":
            from streametrics.summarizers.fake import FakeSummarizer

            return FakeSummarizer()
        case _:
            assert_never(settings.summarizer)


def _with_fallback(primary: Summarizer, settings: Settings) -> Summarizer:
    match settings.summary_fallback:
        case "extractive":
            from streametrics.summarizers.chain import FallbackSummarizer
            from streametrics.summarizers.extractive import ExtractiveSummarizer

            return FallbackSummarizer(primary, ExtractiveSummarizer())
        case "error":
            return primary
        case _:
            assert_never(settings.summary_fallback)
