"""The text fields of OpenAI's audio API: of both routes, and what is refused of them."""

import pytest

from streametrics.errors import InvalidRequest
from streametrics.uploads.openai_fields import read_transcription_fields, read_translation_fields


def test_a_translation_is_asked_for_in_english() -> None:
    found = read_translation_fields({"prompt": ["Zoé"], "language": ["fr"], "temperature": ["0"]}, "base")
    assert (found.request.speech_task, found.request.language, found.request.speech_language) == (
        "translate",
        "en",
        "fr",
    )
    assert (found.request.title, found.response_format, found.stream) == ("Zoé", "json", False)
    assert read_transcription_fields({}, "base").request.speech_task == "transcribe"


@pytest.mark.parametrize(
    ("model", "told"), [("tiny.en", "knows English alone"), ("turbo", "has not learned"), ("large-v3-turbo", "turbo")]
)
def test_a_model_that_cannot_translate_is_refused_by_name(model: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told) as refused:
        read_translation_fields({}, model)
    assert [fault.path for fault in refused.value.faults] == [("model",)]
    assert read_transcription_fields({}, model).request.speech_task == "transcribe"


def test_every_field_at_fault_is_told() -> None:
    sent = {
        "response_format": ["docx"],
        "stream": ["maybe"],
        "timestamp_granularities[]": ["letter"],
        "language": ["klingonish"],
        "prompt": ["x" * 1001],
    }
    with pytest.raises(InvalidRequest, match=r"docx.*true or false") as refused:
        read_transcription_fields(sent, "base")
    assert [fault.path[0] for fault in refused.value.faults] == [
        "language",
        "prompt",
        "response_format",
        "stream",
        "timestamp_granularities",
    ]
