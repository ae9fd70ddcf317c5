"""Collects what is wrong with the fields of a request, so that one refusal names all of it."""

from collections.abc import Callable
from typing import TypeVar

from streametrics.errors import FieldFault, InvalidRequest

Value = TypeVar("Value")


class FieldFaults:
    """Reads fields one after another. stops_at_first: the first fault is raised where it is found."""

    def __init__(self, *, stops_at_first: bool = False) -> None:
        self._stops_at_first = stops_at_first
        self._first: InvalidRequest | None = None
        self._faults: list[FieldFault] = []

    def read(self, name: str, read: Callable[..., Value], *given: object, otherwise: Value) -> Value:
        """Read a field's value from what is given; where it raises InvalidRequest, take `otherwise` for now."""
        try:
            return read(*given)
        except InvalidRequest as error:
            if self._stops_at_first:
                raise
            self._first = self._first or error
            self._faults += error.faults or (FieldFault((name,), str(error)),)
            return otherwise

    def raise_if_any(self) -> None:
        """Raise the first error that was found, with the faults of all of them."""
        if self._first is not None:
            self._first.tell_of(tuple(self._faults))
            raise self._first
