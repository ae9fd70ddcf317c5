"""Parses a multipart form while it is received."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from streametrics.errors import InvalidRequest

if TYPE_CHECKING:  # the name exists for type checkers only
    from python_multipart.multipart import MultipartCallbacks
from streametrics.uploads.fields import shortened

#: A text field larger than this is refused while it comes in, in bytes: four for every character.
_MAX_FIELD_BYTES = 4 * 1_000
_MAX_FIELDS = 50


@dataclass(slots=True)
class Form:
    """Collects what the parser finds: the file's bytes, the text fields, the head of the present part.

    file_field: the field that holds the file. fields: the values of each text field, in the order in which they came.
    """

    file_field: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    file_bytes: bytearray = field(default_factory=bytearray)
    has_file: bool = False
    ended: bool = False
    _header_name: bytearray = field(default_factory=bytearray)
    _header_value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _name: str = ""
    _value: bytearray = field(default_factory=bytearray)
    _count: int = 0

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._part_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._count += 1
        if self._count > _MAX_FIELDS:
            raise InvalidRequest(f"The form has more than {_MAX_FIELDS} fields.")
        self._disposition, self._name, self._value = b"", "", bytearray()

    def _end_header(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        is_file = b"filename" in options or b"filename*" in options
        own = self.file_field
        if is_file and self._name != own:
            sentence = f"The file came in the field {shortened(self._name)}: send it in the field '{own}'."
            raise InvalidRequest(sentence, field=self._name[:40])
        if self._name == own:
            if self.has_file:
                raise InvalidRequest(f"The field '{own}' was sent twice: send one file a job.", field=own)
            if not is_file:
                sentence = f"The field '{own}' is not a file: send it as '-F {own}=@recording.wav'."
                raise InvalidRequest(sentence, field=own)
            self.has_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == self.file_field:
            self.file_bytes.extend(data[start:end])
        elif len(self._value) + end - start > _MAX_FIELD_BYTES:
            raise InvalidRequest(f"The field {shortened(self._name)} is too long.", field=self._name[:40])
        else:
            self._value.extend(data[start:end])

    def _end_part(self) -> None:
        if self._name == self.file_field:
            return
        try:
            self.fields.setdefault(self._name, []).append(self._value.decode("utf-8"))
        except UnicodeDecodeError as error:
            sentence = f"The field {shortened(self._name)} is not UTF-8 text."
            raise InvalidRequest(sentence, field=self._name[:40]) from error

    def _end(self) -> None:
        self.ended = True


def feed(parser: MultipartParser, chunk: bytes) -> None:
    try:
        parser.write(chunk)
    except FormParserError as error:
        raise InvalidRequest("The multipart form is damaged.") from error
