"""Configures logging: one line an event, as `name=value`, with the job's id on every line about a job.

Never put a transcript, a summary, a title or a key into a log: logs are read, sent and kept by others.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_job: ContextVar[str] = ContextVar("job", default="-")
_request: ContextVar[str] = ContextVar("request", default="")

#: Libraries that log more at INFO than an operator wants to read.
_CHATTY = ("alembic", "faster_whisper", "httpx", "kombu", "numba", "urllib3")
#: Celery logs of each task what our own lines say, but without the job's id.
_CELERYS_OWN = ("celery.app.trace", "celery.worker.strategy")
#: Control and direction characters; what the interpreter prints of an exception keeps its line breaks.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_IN_TRACE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@contextmanager
def about_job(task_id: str) -> Iterator[None]:
    """Put this id on every line that is logged inside."""
    token = _job.set(task_id)
    try:
        yield
    finally:
        _job.reset(token)


@contextmanager
def about_request(request_id: str) -> Iterator[None]:
    """Put the id of a request at the end of every line that is logged inside."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


class _Formatter(logging.Formatter):
    """Formats lines that both a person and `grep` can read.

    Line breaks and other control characters are escaped, so nobody can forge a line, or write to the terminal.
    """

    def __init__(self, process: str) -> None:
        super().__init__("%(asctime)s level=%(levelname)s process=%(streametrics)s job=%(job)s %(message)s")
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        record.streametrics = self._process
        record.job = _job.get()
        trace = ""
        if record.exc_info:
            trace = "\n" + self.formatException(record.exc_info)
        # The handler shares the record with others, so what is set here is put back.
        exc_info, record.exc_info, record.exc_text = record.exc_info, None, None
        line = _CONTROL.sub(_escaped, super().format(record))
        record.exc_info = exc_info
        if request_id := _request.get():
            line += f" request={request_id}"
        return line + _CONTROL_IN_TRACE.sub(_escaped, trace)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def configure(level: str, process: str) -> None:
    """Send every logger of this process to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in (*_CHATTY, *_CELERYS_OWN):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # What is answered to whom is the API's own line; uvicorn's would print query strings.
    logging.getLogger("uvicorn.access").disabled = True
    threading.excepthook = _log_dead_thread


def _log_dead_thread(dead: threading.ExceptHookArgs) -> None:
    """Log what ended a thread: Python itself would print it between the lines, without name and time."""
    name = dead.thread.name if dead.thread is not None else "unknown"
    error = dead.exc_value or dead.exc_type()
    logging.getLogger(__name__).error("the thread '%s' was ended by %s", name, type(error).__name__, exc_info=error)
