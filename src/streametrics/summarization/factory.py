"""Chooses the summarizer that the settings name, and imports no other."""

from typing import assert_never

from streametrics.settings import Settings
from streametrics.summarization.base import Summarizer


def create(settings: Settings) -> Summarizer:
    """Create the summarizer that SUMMARIZER names; one of a model has SUMMARY_FALLBACK behind it."""
    match settings.summarizer:
        case "ollama" | "openai_compatible":
            from streametrics.llm import factory as chat_model_factory
            from streametrics.summarization.llm_summarizer import LlmSummarizer

            return _with_fallback(LlmSummarizer(chat_model_factory.create(settings), settings), settings)
        case "extractive":
            from streametrics.summarization.extractive import ExtractiveSummarizer

            return ExtractiveSummarizer()
        case "fake":
            from streametrics.summarization.fake import FakeSummarizer

            return FakeSummarizer()
        case _:
            assert_never(settings.summarizer)


def _with_fallback(primary: Summarizer, settings: Settings) -> Summarizer:
    from streametrics.summarization.circuit_breaker import CircuitBreaker
    from streametrics.summarization.fallback import FallbackSummarizer

    breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_retry_s)
    match settings.summary_fallback:
        case "extractive":
            from streametrics.summarization.extractive import ExtractiveSummarizer

            return FallbackSummarizer(primary, ExtractiveSummarizer(), breaker)
        case "error":
            return FallbackSummarizer(primary, None, breaker)
        case _:
            assert_never(settings.summary_fallback)
