"""Errors as HTTP answers: one body for all of them, which old clients can read."""

from starlette.responses import JSONResponse

from streametrics.errors import StreametricsError
from streametrics.job import error_body


def error_response(error: StreametricsError) -> JSONResponse:
    """The answer to a request that failed."""
    return JSONResponse(error_body(str(error), error.code), status_code=error.status, headers=error.headers)
