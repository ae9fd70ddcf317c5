"""Checks the text fields of `POST /v1/jobs`: only the sound is required, and an unknown field is refused by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast, get_args

from streametrics.domain.job import JobKind, JobRequest
from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads import fields as upload_fields
from streametrics.uploads.field_faults import FieldFaults
from streametrics.uploads.fields import FIELD_LIMITS, FILE_FIELD, OPTIONAL_FIELDS, check_text, shortened

Kind = Literal["live", "recording"]
SummaryWanted = Literal["none", "short", "long"]

#: The field's values; it may also be empty or absent.
CHOICES: dict[str, tuple[str, ...]] = {"kind": get_args(Kind), "summary": get_args(SummaryWanted)}
#: The longest value of each field, in characters.
LIMITS = {
    **{name: FIELD_LIMITS[name] for name in ("streamer", "game", "title", "time")},
    **OPTIONAL_FIELDS,
    "summary_language": FIELD_LIMITS["language"],
    "model": 100,
    **dict.fromkeys(CHOICES, 16),
}
Value = TypeVar("Value")

_KINDS = {"live": JobKind.LIVE, "recording": JobKind.LONG}


@dataclass(frozen=True, slots=True)
class JobFields:
    """What is asked for. kind: None for what the sound's length says. sent: the fields as they came."""

    request: JobRequest
    kind: JobKind | None
    sent: Mapping[str, str] = field(default_factory=dict, compare=False)


def read_job_fields(fields: Mapping[str, list[str]], whisper_model: str, installed: Sequence[str]) -> JobFields:
    """Check the fields of a job. Raises InvalidRequest with the names of those at fault and what they may be.

    installed: the names under which the model can be asked for.
    """
    faults = FieldFaults()
    values = {name: faults.read(name, _checked, name, given, otherwise="") for name, given in fields.items()}

    def value(name: str, read: Callable[..., Value], *more: object, otherwise: Value) -> Value:
        return faults.read(name, read, values.get(name, ""), *more, otherwise=otherwise)

    value("model", _check_model, installed, otherwise=None)
    kind, summary = (faults.read(name, _choice, name, values.get(name, ""), otherwise="") for name in CHOICES)
    found = JobFields(
        JobRequest(
            streamer=values.get("streamer", ""),
            language=value("summary_language", _summary_language, otherwise=""),
            game=values.get("game", ""),
            time=values.get("time", ""),
            title=values.get("title", ""),
            speech_language=value("speech_language", languages.parse_spoken, whisper_model, otherwise=None),
            track=value("track", upload_fields.read_track, otherwise=""),
            wants_summary=summary != "none",
            summary_length=cast(Literal["short", "long"], summary) if summary in ("short", "long") else None,
        ),
        _KINDS.get(kind),
        values,
    )
    faults.raise_if_any()
    return found


def _checked(name: str, given: list[str]) -> str:
    *more, value = given
    if name == "language":
        raise InvalidRequest(
            "There is no field 'language' here: 'speech_language' is what is spoken, 'summary_language' is what the "
            "summary is written in."
        )
    if name not in LIMITS:
        raise InvalidRequest(
            f"There is no field {shortened(name)}: '{FILE_FIELD}' is the sound, and {', '.join(LIMITS)} can be given."
        )
    if more:
        raise InvalidRequest(f"The field '{name}' was sent {len(given)} times: send it once.")
    return check_text(name, value, LIMITS[name])


def _check_model(name: str, installed: Sequence[str]) -> None:
    if name.strip() not in ("", *installed):
        raise InvalidRequest(
            f"The model {shortened(name.strip())} is not installed: '{installed[0]}' is (WHISPER_MODEL chooses it)."
        )


def _choice(name: str, value: str) -> str:
    value = value.strip()
    if value not in ("", *CHOICES[name]):
        raise InvalidRequest(f"The field '{name}' cannot be {shortened(value)}: {', '.join(CHOICES[name])} can.")
    return value


def _summary_language(text: str) -> str:
    """Read the summary's language; empty for the one that is spoken."""
    return "" if text.strip().casefold() in ("", "auto") else languages.parse(text)
