"""The writers of summaries, one file each; this chooses one and imports no other."""

from typing import assert_never

from streametrics.settings import Settings
from streametrics.summarization.base import Summarizer


def create(settings: Settings) -> Summarizer:
    """The writer that SUMMARIZER names; a model's with SUMMARY_FALLBACK behind it."""
    match settings.summarizer:
        case "ollama" | "openai_compatible":
            from streametrics.llm import factory as chat_model_factory
            from streametrics.summarization.llm_summarizer import ModelSummarizer

            return _with_fallback(ModelSummarizer(chat_model_factory.create(settings), settings), settings)
        case "extractive":
            from streametrics.summarization.extractive import ExtractiveSummarizer

            return ExtractiveSummarizer()
        case "fake":
            from streametrics.summarization.fake import FakeSummarizer

            return FakeSummarizer()
        case _:
            assert_never(settings.summarizer)


def _with_fallback(primary: Summarizer, settings: Settings) -> Summarizer:
    from streametrics.summarization.circuit_breaker import Breaker
    from streametrics.summarization.fallback import FallbackSummarizer

    breaker = Breaker(settings.breaker_failures, settings.breaker_retry_s)
    match settings.summary_fallback:
        case "extractive":
            from streametrics.summarization.extractive import ExtractiveSummarizer

            return FallbackSummarizer(primary, ExtractiveSummarizer(), breaker)
        case "error":
            return FallbackSummarizer(primary, None, breaker)
        case _:
            assert_never(settings.summary_fallback)
