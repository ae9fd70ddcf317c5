"""Reads a request to resummarize: another language, another model, an extra instruction."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast, get_args
from urllib.parse import parse_qsl

from streametrics.domain.job import SummaryLength
from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads.fields import NO_NULL

#: Longest value of each field, in characters; all are optional.
RESUMMARIZE_FIELDS = {"language": 64, "model": 100, "prompt": 500}
LENGTHS: tuple[SummaryLength, ...] = get_args(SummaryLength)
#: A model's name, in letters that mean the same in every language of patterns.
MODEL_PATTERN = "[A-Za-z0-9_.:/@-]+"
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

    below_v1: the summary's language has another name there, and its length can be chosen.
    """
    language_field = _language_field(below_v1)
    limits = {language_field if name == "language" else name: limit for name, limit in RESUMMARIZE_FIELDS.items()}
    limits |= {"summary": max(map(len, LENGTHS))} if below_v1 else {}
    data = bytearray()
    async for chunk in body:
        data += chunk
        if len(data) > _MAX_BODY_BYTES:
            raise InvalidRequest("The request is too long.")
    fields = _fields(content_type.partition(";")[0].strip().lower(), bytes(data))
    for name, value in fields.items():
        if name not in limits:
            raise InvalidRequest(f"There is no field {name[:40]!r}: {', '.join(limits)} can be given.")
        if len(value) > limits[name]:
            raise InvalidRequest(f"The field '{name}' is longer than {limits[name]} characters.")
        _check_text(name, value)
    model = fields.get("model", "").strip()
    if model and not re.fullmatch(MODEL_PATTERN, model):
        raise InvalidRequest("The field 'model' is no model's name, such as 'mistral' or 'llama3.2:3b'.")
    language = fields.get(language_field, "").strip()
    length = fields.get("summary", "").strip()
    if length not in ("", *LENGTHS):
        raise InvalidRequest(f"The field 'summary' cannot be {length!r}: {', '.join(LENGTHS)} can.")
    return ResummarizeRequest(
        language=languages.parse(language) if language else None,
        model=model or None,
        extra_instruction=fields.get("prompt", "").strip(),
        length=cast(SummaryLength, length) if length else None,
    )


def _language_field(below_v1: bool) -> str:
    return "summary_language" if below_v1 else "language"


def _check_text(name: str, text: str) -> None:
    """Refuse what JSON can express and no database or answer can hold."""
    if "\x00" in text:
        raise InvalidRequest(f"The field '{name}' holds a null character.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(f"The field '{name}' holds half a character, a surrogate without the other one.")


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
