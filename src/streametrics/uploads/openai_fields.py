"""Checks the text fields of OpenAI's audio API.

Whatever its clients send is taken, and what cannot be done is refused by name. Lists come as `name[]`, repeated, or as
`name`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from streametrics.domain.job import JobRequest
from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads.fields import FIELD_LIMITS

FILE_FIELD = "file"
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("segment", "word")

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class UnsupportedValue(InvalidRequest):
    """This value of the field is not supported."""

    code, status = "unsupported_value", 400

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class TranscriptionFields:
    """What is asked for. granularities: of the times in `verbose_json`."""

    request: JobRequest
    response_format: ResponseFormat
    stream: bool
    granularities: frozenset[str]


def read_transcription_fields(fields: Mapping[str, list[str]], whisper_model: str) -> TranscriptionFields:
    """Check the fields of a transcription. Raises InvalidRequest, UnsupportedValue."""
    for name, values in fields.items():
        if any("\x00" in value for value in values):
            raise UnsupportedValue(f"The field '{name[:40]}' holds a null character.", name[:40])
    response_format = _one(fields, "response_format") or "json"
    if response_format not in FORMATS:
        reason = "voices are not told apart" if response_format == "diarized_json" else "it is not known"
        raise UnsupportedValue(
            f"response_format '{response_format[:40]}' cannot be given, as {reason}: {', '.join(FORMATS)} can.",
            "response_format",
        )
    granularities = frozenset(_many(fields, "timestamp_granularities")) or frozenset({"segment"})
    if not granularities <= set(GRANULARITIES):
        raise UnsupportedValue("timestamp_granularities may hold 'segment' and 'word'.", "timestamp_granularities")
    return TranscriptionFields(
        request=_job_request(fields, whisper_model),
        response_format=cast(ResponseFormat, response_format),
        stream=_flag(fields, "stream"),
        granularities=granularities,
    )


def _job_request(fields: Mapping[str, list[str]], whisper_model: str) -> JobRequest:
    asked = _one(fields, "language")
    if not asked and len(several := _many(fields, "languages")) == 1:
        asked = several[0]
    # Words to be spelled stand where a stream's title does.
    spelled = " ".join([_one(fields, "prompt"), *_many(fields, "keywords")]).strip()
    if len(spelled) > FIELD_LIMITS["title"]:
        raise InvalidRequest(f"'prompt' and 'keywords' are longer than {FIELD_LIMITS['title']} characters together.")
    language = languages.parse_spoken(asked, whisper_model)
    return JobRequest(
        streamer="",
        language=language or "en",
        game="",
        time="",
        title=spelled,
        speech_language=language,
        wants_summary=False,
    )


def _one(fields: Mapping[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[-1].strip()


def _many(fields: Mapping[str, list[str]], name: str) -> list[str]:
    return [value.strip() for value in [*fields.get(name, []), *fields.get(f"{name}[]", [])] if value.strip()]


def _flag(fields: Mapping[str, list[str]], name: str) -> bool:
    value = _one(fields, name).casefold()
    if value not in ("", "true", "false", "1", "0"):
        raise UnsupportedValue(f"The field '{name}' is true or false.", name)
    return value in ("true", "1")
