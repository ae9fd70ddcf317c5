"""Reads a request to resummarize: another language, another model, an extra instruction."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

from streametrics.api.json_body import read_bounded
from streametrics.domain.job import SummaryLength
from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads.field_faults import FieldFaults
from streametrics.uploads.fields import NO_NULL, check_text

#: Longest value of each field, in characters; all are optional.
RESUMMARIZE_FIELDS = {"language": 64, "model": 100, "prompt": 500}
LENGTHS: tuple[SummaryLength, ...] = get_args(SummaryLength)
#: A model's name, in letters that mean the same in every language of patterns.
MODEL_PATTERN = "[A-Za-z0-9_.:/@-]+"
Value = TypeVar("Value")
_MAX_BODY_BYTES = 16_000
_DAMAGED = (
    "The request's body is damaged, or it is JSON without 'Content-Type: application/json': send that or a plain form, "
    "in UTF-8."
)


@dataclass(frozen=True, slots=True)
class ResummarizeRequest:
    """What should be different; None or empty leaves it as it was."""

    language: str | None = None
    model: str | None = None
    extra_instruction: str = ""
    length: SummaryLength | None = None


def resummarize_schema(*, below_v1: bool = False) -> dict[str, Any]:
    """Describe the body of a request to resummarize."""
    language_field = _language_field(below_v1)
    length = {"summary": {"type": "string", "enum": list(LENGTHS)}} if below_v1 else {}
    schema = {
        "type": "object",
        "properties": {
            language_field: {"type": "string", "maxLength": RESUMMARIZE_FIELDS["language"], "format": "language"},
            "model": {"type": "string", "maxLength": RESUMMARIZE_FIELDS["model"], "pattern": f"^{MODEL_PATTERN}$"},
            "prompt": {"type": "string", "maxLength": RESUMMARIZE_FIELDS["prompt"], "pattern": NO_NULL},
            **length,
        },
        "additionalProperties": False,
    }
    kinds = ("application/x-www-form-urlencoded", "application/json")
    return {"requestBody": {"required": False, "content": {kind: {"schema": schema} for kind in kinds}}}


async def read_resummarize_request(
    content_type: str, body: AsyncIterator[bytes], *, below_v1: bool = False
) -> ResummarizeRequest:
    """Read and check the fields, sent as JSON or as a plain form. Raises InvalidRequest.

    below_v1: the summary's language has another name there, its length can be chosen, and all faults are told.
    """
    language_field = _language_field(below_v1)
    limits = {language_field if name == "language" else name: limit for name, limit in RESUMMARIZE_FIELDS.items()}
    limits |= {"summary": max(map(len, LENGTHS))} if below_v1 else {}
    data = await read_bounded(body, max_bytes=_MAX_BODY_BYTES, refusal="The request is too long.")
    fields = _fields(content_type.partition(";")[0].strip().lower(), data)
    faults = FieldFaults(stops_at_first=not below_v1)
    values = {
        name[:40]: faults.read(name[:40], _checked, name, value, limits, otherwise="").strip()
        for name, value in fields.items()
    }

    def value(name: str, read: Callable[[str], Value]) -> Value | None:
        return faults.read(name, read, values[name], otherwise=None) if values.get(name) else None

    found = ResummarizeRequest(
        model=value("model", _model),
        length=value("summary", _length),
        language=value(language_field, languages.parse),
        extra_instruction=values.get("prompt", ""),
    )
    faults.raise_if_any()
    return found


def _language_field(below_v1: bool) -> str:
    return "summary_language" if below_v1 else "language"


def _checked(name: str, value: str, limits: Mapping[str, int]) -> str:
    if name not in limits:
        raise InvalidRequest(f"There is no field {name[:40]!r}: {', '.join(limits)} can be given.")
    return check_text(name, value, limits[name])


def _model(name: str) -> str:
    if not re.fullmatch(MODEL_PATTERN, name):
        raise InvalidRequest("The field 'model' is no model's name, such as 'mistral' or 'llama3.2:3b'.")
    return name


def _length(value: str) -> SummaryLength:
    if value not in LENGTHS:
        raise InvalidRequest(f"The field 'summary' cannot be {value!r}: {', '.join(LENGTHS)} can.")
    return value


def _fields(content_type: str, data: bytes) -> dict[str, str]:
    if not data:
        return {}
    try:
        text = data.decode("utf-8")
        if content_type == "application/json":
            found = json.loads(text)
            if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
                raise InvalidRequest("The JSON must be an object whose values are texts.")
            return found
        if content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=10))
    except (ValueError, RecursionError) as error:  # the latter by JSON that is nested without end
        raise InvalidRequest(_DAMAGED) from error
    raise InvalidRequest("Send the fields as JSON or as a plain form, not as a multipart one: curl -d prompt=… …")
