"""Describes responses and keys for the OpenAPI document; what the routes' code does is what counts."""

from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict

#: Why each status is answered.
_REASONS = {
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


class Status(BaseModel):
    """Where a job stands; the README's table says which fields come when."""

    model_config = ConfigDict(extra="allow")

    status: Literal["pending", "processing", "done", "error"]
    progress: int
    message: str | None = None
    current_step: str | None = None
    transcription: str | None = None
    error: str | None = None
    code: str | None = None


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route, for its `responses`."""
    return {
        status: {"model": Refusal, "description": _REASONS[status], "headers": _HEADERS.get(status, {})}
        for status in sorted(statuses)
    }


def answered(status: int, description: str, model: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    """Describe a response of a route that is no refusal, for its `responses`."""
    return {status: {"description": description} | ({"model": model} if model is not None else {})}


def linked(*operations: str) -> dict[int | str, dict[str, Any]]:
    """Describe the response with a job's id, and what can be done with that id."""
    links = {name: {"operationId": name, "parameters": {"task_id": "$response.body#/task_id"}} for name in operations}
    return {200: {"model": Accepted, "description": "Accepted.", "links": links}}


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
            made["security"] = [{"key": []}, {"bearer": []}, {}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of changing it
