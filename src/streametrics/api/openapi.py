"""Describes responses and keys for the OpenAPI document; what the routes' code does is what counts."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from streametrics.api.described import Absent, Described
from streametrics.api.middleware.authentication import wanted_scope
from streametrics.api.problems import MEDIA_TYPE, Problem

#: Why each status is answered.
_REASONS = {
    400: "The request cannot be carried out: `detail` says why.",
    401: "No key, or a wrong one.",
    403: "A key whose scope is too small, or a page or Host that may not call.",
    404: "No job of the caller's has this id.",
    409: "The job has no transcript yet.",
    410: "The result has expired and was erased.",
    413: "The file is larger than MAX_UPLOAD_MB.",
    415: "The first bytes are of no sound or video file.",
    422: "A field is missing, too long or not valid; or the file is empty.",
    429: "Too much is waiting or coming in.",
    503: "The queue or the database is away, or the disk is too full; nothing was accepted.",
}
_WAITS = {"Retry-After": {"description": "Seconds until it is worth another try.", "schema": {"type": "string"}}}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: _WAITS,
    503: _WAITS,
}


class Refusal(BaseModel):
    """The body of every refusal; old clients read `status` alone."""

    status: Literal["error"]
    progress: Literal[0]
    current_step: Literal["error"]
    error: str
    message: str
    code: str


class Accepted(BaseModel):
    """A job's id."""

    task_id: str


class TimedText(Described):
    """Words and when they are said, in seconds from the beginning, as a player counts them."""

    start: float = Field(examples=[0.0])
    end: float = Field(examples=[2.4])
    text: str = Field(examples=["Welcome back, everybody."])


class KeyMoment(Described):
    """What happened, and when: seconds from the beginning, as a player counts them."""

    start: float = Field(examples=[3723.0])
    text: str = Field(examples=["Ada beats the ice dragon."])


class JobWarning(Described):
    """What a reader should know beside the result: `code` for programs, `message` for people."""

    code: str = Field(examples=["audio_truncated"])
    message: str = Field(examples=["The file is cut off: what could be heard was transcribed."])


class Result(Described):
    """What a finished job delivers; it never changes."""

    text: str = Field(description="The transcript.", examples=["Welcome back, everybody."])
    summary: str = Field(description="In the language that was asked for.", examples=["The streamer says hello."])
    time: str = Field(description="As it was sent.", examples=["00:12:30"])
    streamerName: str = Field(description="`streamer`, as it was sent.", examples=["zoe_tv"])
    summary_source: str | Absent = Field(
        default=None, description="Who wrote it: `ollama`, `openai_compatible` or `extractive`.", examples=["ollama"]
    )
    model: str | None = Field(
        default=None, description="The language model, where one was asked.", examples=["mistral"]
    )
    prompt_version: str | None = Field(default=None, description="Which form of the prompt, where there was one.")
    speech_language: str | None = Field(
        default=None, description="What was spoken, as a code; `en` of a translation.", examples=["en"]
    )
    segments: list[TimedText] | Absent = None
    warnings: list[JobWarning] | Absent = None
    key_moments: list[KeyMoment] | Absent = Field(default=None, description="Of a long recording, in their order.")
    parent_task_id: str | Absent = Field(
        default=None, description="Of a summary made anew: the job whose transcript it is of."
    )


class Status(Described):
    """Where a job stands; `status` and `current_step` decide which fields come with it."""

    model_config = ConfigDict(extra="allow")

    status: Literal["pending", "processing", "done", "error"]
    progress: int = Field(ge=0, le=100, description="It never falls, but to 0 in an error.", examples=[100])
    message: str | Absent = Field(default=None, description="A sentence about the step, for people.")
    current_step: Literal["transcribing", "transcription_complete", "summarizing", "done", "error"] | Absent = Field(
        default=None, description="Absent while the job waits."
    )
    transcription: str | None = Field(default=None, description="The words so far; null while there are none.")
    notes: list[TimedText] | Absent = Field(
        default=None, description="What a long recording is about so far, while it is in work."
    )
    partial_summary: str | Absent = Field(default=None, description="The summary as it grows.")
    eta_s: float | Absent = Field(default=None, description="The time left, in seconds.", examples=[12.5])
    warnings: list[JobWarning] | Absent = None
    result: Result | Absent = Field(default=None, description="Of a job that is `done`.")
    error: str | Absent = Field(default=None, description="Of a job in `error`: what went wrong, and what to do.")
    code: str | Absent = Field(default=None, description="The error, for programs.", examples=["audio_unreadable"])


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route, for its `responses`."""
    return {
        status: {"model": Refusal, "description": _REASONS[status], "headers": _HEADERS.get(status, {})}
        for status in sorted(statuses)
    }


def problems(*statuses: int, reasons: Mapping[int, str] = _REASONS) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route below `/v1`, for its `responses`; reasons: other ones than a job's."""
    return {
        status: {
            "description": reasons.get(status, _REASONS[status]),
            "headers": _HEADERS.get(status, {}),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted(statuses)
    }


def openai_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of OpenAI's routes: problems that carry its `error` too."""
    found = problems(*statuses)
    for described in found.values():
        described["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/OpenAIProblem"}}}
    return found


def answered(status: int, description: str, model: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    """Describe a response of a route that is no refusal, for its `responses`."""
    return {status: {"description": description} | ({"model": model} if model is not None else {})}


def linked(*operations: str) -> dict[int | str, dict[str, Any]]:
    """Describe the response with a job's id, and what can be done with that id."""
    links = {name: {"operationId": name, "parameters": {"task_id": "$response.body#/task_id"}} for name in operations}
    return {200: {"model": Accepted, "description": "Accepted.", "links": links}}


def _problem_schemas() -> dict[str, Any]:
    """Make the schemas of a problem: the framework adds those of models alone, under the media type of its own."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    error = {
        "type": "object",
        "required": ["message", "type", "param", "code"],
        "properties": {
            "message": {"type": "string"},
            "type": {"type": "string", "examples": ["invalid_request_error"]},
            "param": {"type": ["string", "null"]},
            "code": {"type": ["string", "null"], "examples": ["audio_unsupported"]},
        },
    }
    both = {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"type": "object", "required": ["error"], "properties": {"error": error}},
        ]
    }
    return {**schema.pop("$defs"), "Problem": schema, "OpenAIProblem": both}


def _add_scopes(paths: dict[str, dict[str, Any]]) -> None:
    """Say with each operation which scope its key needs, and with those that are open to all that they need none."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            scope = wanted_scope(method.upper(), path)
            if scope is None:
                operation["security"] = []
            operation["x-required-scope"] = scope.value if scope is not None else None


def describe(app: FastAPI) -> None:
    """Add the keys to the document: either header, or none while there are no keys."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemes = {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
            made.setdefault("components", {})["securitySchemes"] = schemes
            made["components"]["schemas"] |= _problem_schemas()
            _add_scopes(made["paths"])
            made["security"] = [{"key": []}, {"bearer": []}, {}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of changing it
