"""Renders errors of `/v1` as RFC 9457 asks: `application/problem+json`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from streametrics.api.described import Absent, Described
from streametrics.errors import FieldFault, StreametricsError

PREFIX = "/v1/"
MEDIA_TYPE = "application/problem+json"
#: Where `type` leads: a page that says what the code means.
TYPE_PREFIX = "/problems/"
#: What the framework refuses by itself.
FRAMEWORK_CODES = {
    "not_found": "There is nothing at this address: /openapi.json lists what there is.",
    "method_not_allowed": "This address does not take this method: /openapi.json lists which it takes.",
    "http_error": "The request cannot be answered.",
}


class FieldError(BaseModel):
    """What is wrong with one field or parameter."""

    detail: str = Field(examples=["Input should be less than or equal to 100"])
    pointer: str = Field(description="A JSON pointer to a field, or a parameter's name.", examples=["#/limit"])


class Problem(Described):
    """The body of every refusal below `/v1`, after RFC 9457."""

    type: str = Field(description="A page that explains the code.", examples=["/problems/job_unknown"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(description="As the answer's own.", examples=[404])
    detail: str = Field(description="What went wrong and what to do, for people.")
    code: str = Field(description="The error, for programs.", examples=["job_unknown"])
    errors: list[FieldError] | Absent = Field(
        default=None, description="Each field that is wrong, where there are such."
    )


def problem_response(error: StreametricsError) -> JSONResponse:
    """Make the response to a request below `/v1` that failed."""
    body = body_of(error.status, error.code, str(error), error.faults)
    return JSONResponse(body, status_code=error.status, headers=error.headers, media_type=MEDIA_TYPE)


class FrameworkRefusal(StreametricsError):
    """The framework itself refuses the request, such as a path that does not exist."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
        self.headers = dict(headers or {})
        super().__init__(FRAMEWORK_CODES[self.code])


def is_below(path: str) -> bool:
    """Tell whether errors at this path are problems."""
    return path.startswith(PREFIX) or path == PREFIX.rstrip("/")


def body_of(status: int, code: str, detail: str, faults: Sequence[FieldFault] = ()) -> dict[str, Any]:
    """Render the body of a problem."""
    problem = Problem(
        type=f"{TYPE_PREFIX}{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=[FieldError(detail=fault.detail, pointer=_pointer(fault.path)) for fault in faults] or None,
    )
    return problem.model_dump(exclude_none=True)


def _pointer(path: Sequence[str]) -> str:
    """Make a JSON pointer of a field's path. Half a character of a name that JSON can express is left out."""
    escaped = "/".join(name.replace("~", "~0").replace("/", "~1") for name in path)
    return "#/" + escaped.encode(errors="ignore").decode()
