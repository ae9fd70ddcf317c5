"""Checks the text fields of OpenAI's audio API.

Whatever its clients send is taken, and what cannot be done is refused by name. Lists come as `name[]`, repeated, or as
`name`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from streametrics.domain.job import JobRequest
from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads.field_faults import FieldFaults
from streametrics.uploads.fields import FIELD_LIMITS

FILE_FIELD = "file"
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("segment", "word")

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class UnsupportedValue(InvalidRequest):
    """This value of the field is not supported."""

    code, status = "unsupported_value", 400

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message, field=param)
        self.param = param


@dataclass(frozen=True, slots=True)
class AudioFields:
    """What is asked for. granularities: of the times in `verbose_json`."""

    request: JobRequest
    response_format: ResponseFormat
    stream: bool = False
    granularities: frozenset[str] = frozenset({"segment"})

    def as_text(self, text_format: Literal["txt", "srt", "vtt"]) -> "AudioFields":
        """The same in one of the formats that are text."""
        return replace(self, response_format="text" if text_format == "txt" else text_format, stream=False)


def read_transcription_fields(fields: Mapping[str, list[str]], whisper_model: str) -> AudioFields:
    """Check the fields of a transcription. Raises InvalidRequest, UnsupportedValue."""
    faults = FieldFaults()
    found = AudioFields(
        request=_job_request(fields, whisper_model, faults),
        response_format=faults.read("response_format", _response_format, fields, otherwise="json"),
        stream=faults.read("stream", _flag, fields, "stream", otherwise=False),
        granularities=faults.read("timestamp_granularities", _granularities, fields, otherwise=frozenset()),
    )
    faults.raise_if_any()
    return found


def read_translation_fields(fields: Mapping[str, list[str]], whisper_model: str) -> AudioFields:
    """Check the fields of a translation, which is English. Raises InvalidRequest, UnsupportedValue.

    `language` is what is spoken, as of a transcription.
    """
    faults = FieldFaults()
    faults.read("model", languages.require_translating, whisper_model, otherwise=None)
    request = _job_request(fields, whisper_model, faults)
    found = AudioFields(
        request=replace(request, language="en", speech_task="translate"),
        response_format=faults.read("response_format", _response_format, fields, otherwise="json"),
    )
    faults.raise_if_any()
    return found


def _job_request(fields: Mapping[str, list[str]], whisper_model: str, faults: FieldFaults) -> JobRequest:
    for name, values in fields.items():
        faults.read(name[:40], _check_values, name[:40], values, otherwise=None)
    asked = _one(fields, "language")
    if not asked and len(several := _many(fields, "languages")) == 1:
        asked = several[0]
    language = faults.read("language", languages.parse_spoken, asked, whisper_model, otherwise=None)
    return JobRequest(
        streamer="",
        language=language or "en",
        game="",
        time="",
        title=faults.read("prompt", _spelled, fields, otherwise=""),
        speech_language=language,
        wants_summary=False,
    )


def _check_values(name: str, values: list[str]) -> None:
    if any("\x00" in value for value in values):
        raise UnsupportedValue(f"The field '{name}' holds a null character.", name)


def _spelled(fields: Mapping[str, list[str]]) -> str:
    """Read the words to be spelled right, which stand where a stream's title does."""
    spelled = " ".join([_one(fields, "prompt"), *_many(fields, "keywords")]).strip()
    if len(spelled) > FIELD_LIMITS["title"]:
        raise InvalidRequest(f"'prompt' and 'keywords' are longer than {FIELD_LIMITS['title']} characters together.")
    return spelled


def _response_format(fields: Mapping[str, list[str]]) -> ResponseFormat:
    asked = _one(fields, "response_format") or "json"
    if asked not in FORMATS:
        reason = "voices are not told apart" if asked == "diarized_json" else "it is not known"
        raise UnsupportedValue(
            f"response_format '{asked[:40]}' cannot be given, as {reason}: {', '.join(FORMATS)} can.",
            "response_format",
        )
    return cast(ResponseFormat, asked)


def _granularities(fields: Mapping[str, list[str]]) -> frozenset[str]:
    asked = frozenset(_many(fields, "timestamp_granularities")) or frozenset({"segment"})
    if not asked <= set(GRANULARITIES):
        raise UnsupportedValue("timestamp_granularities may hold 'segment' and 'word'.", "timestamp_granularities")
    return asked


def _one(fields: Mapping[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[-1].strip()


def _many(fields: Mapping[str, list[str]], name: str) -> list[str]:
    return [value.strip() for value in [*fields.get(name, []), *fields.get(f"{name}[]", [])] if value.strip()]


def _flag(fields: Mapping[str, list[str]], name: str) -> bool:
    value = _one(fields, name).casefold()
    if value not in ("", "true", "false", "1", "0"):
        raise UnsupportedValue(f"The field '{name}' is true or false.", name)
    return value in ("true", "1")
