"""A line of the log is one line of text, whatever is logged."""

import logging

from streametrics.observability.logging import _Formatter


def formatted(message: str, error: Exception | None = None) -> str:
    exc_info = (type(error), error, None) if error is not None else None
    record = logging.LogRecord("test", logging.WARNING, __file__, 1, "event=x reason=%s", (message,), exc_info)
    return _Formatter("worker").format(record)


def test_nothing_in_a_line_ends_it_or_moves_the_cursor() -> None:
    line = formatted("a\nb\rc \x1b[31mred\x1b[0m \x9b2J \x07 \u202e \ud800 é 🐉")
    assert line.endswith(r"a\nb\rc \x1b[31mred\x1b[0m \x9b2J \x07 \u202e \ud800 é 🐉")
    line.encode()


def test_an_exception_keeps_its_lines_and_no_escape() -> None:
    line = formatted("x", ValueError("one\ntwo \x1b[31mred"))
    assert line.splitlines()[-2:] == ["ValueError: one", r"two \x1b[31mred"]
