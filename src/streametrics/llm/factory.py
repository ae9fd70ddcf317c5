"""Models on servers, one file a wire; this chooses one and imports no other."""

from typing import assert_never

from streametrics.llm.base import ChatModel
from streametrics.settings import Settings


def create(settings: Settings) -> ChatModel:
    """The model that SUMMARIZER names. Raises ValueError where it names a writer that asks no model."""
    match settings.summarizer:
        case "ollama":
            from streametrics.llm.ollama import OllamaModel

            return OllamaModel(settings)
        case "openai_compatible":
            from streametrics.llm.openai_compatible import OpenAICompatibleModel

            return OpenAICompatibleModel(settings)
        case "fake":
            from streametrics.llm.fake import FakeModel

            return FakeModel()
        case "extractive":
            raise ValueError("SUMMARIZER=extractive asks no model")
        case _:
            assert_never(settings.summarizer)
