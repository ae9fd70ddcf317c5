"""An upload on its way into the audio store: read as it comes, refused as early as it can be.

The form is parsed here and not by the framework, which would spool the whole file to disk before its size
or its first bytes could be looked at, and would then copy it.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from streametrics.audio.sniffing import HEAD_BYTES, guess_is_long, sniff
from streametrics.domain.job import JobKind, JobRequest
from streametrics.errors import EmptyAudio, InvalidRequest, StreametricsError, UnsupportedAudio, UploadTooLarge
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore, AudioWriter
from streametrics.text import languages
from streametrics.uploads.admission import Admission
from streametrics.uploads.disk_space import Reservation

if TYPE_CHECKING:  # the name exists for type checkers only
    from python_multipart.multipart import MultipartCallbacks

FILE_FIELD = "audio"
#: Longest value of each text field, in characters. All but `speech_language` are required.
FIELD_LIMITS = {"streamer": 200, "language": 64, "game": 1_000, "time": 64, "title": 1_000}
OPTIONAL_FIELDS = {"speech_language": 64}
#: These may be sent without a value.
MAY_BE_EMPTY = ("game", "title", *OPTIONAL_FIELDS)

#: A text field larger than this is refused while it comes in, in bytes: four for every character.
_MAX_FIELD_BYTES = 4 * 1_000
_MAX_FIELDS = 50
#: What a form adds to its file: boundaries, headers and the text fields.
_FORM_OVERHEAD_BYTES = 200_000
#: Sound goes to disk in pieces of this size, in bytes.
_WRITE_BYTES = 1 << 20
#: After a refusal the rest is read and thrown away for so long, in seconds: most clients send everything
#: before they read, and would see a broken connection instead of the sentence.
_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored upload: who owns the key has to delete it."""

    request: JobRequest
    audio_key: str
    container: str
    kind: JobKind


@dataclass(slots=True)
class _Form:
    """Gathers what the parser calls out: the file's bytes, the text fields, the head of the present part."""

    fields: dict[str, str] = field(default_factory=dict)
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
        if is_file and self._name != FILE_FIELD:
            raise InvalidRequest(f"The file came in the field {_shown(self._name)}: send it in the field 'audio'.")
        if self._name == FILE_FIELD:
            if self.has_file:
                raise InvalidRequest("The field 'audio' was sent twice: send one file a job.")
            if not is_file:
                raise InvalidRequest("The field 'audio' is not a file: send it as '-F audio=@recording.wav'.")
            self.has_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE_FIELD:
            self.file_bytes.extend(data[start:end])
        elif len(self._value) + end - start > _MAX_FIELD_BYTES:
            raise InvalidRequest(f"The field {_shown(self._name)} is too long.")
        else:
            self._value.extend(data[start:end])

    def _end_part(self) -> None:
        if self._name == FILE_FIELD:
            return
        try:
            self.fields[self._name] = self._value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The field {_shown(self._name)} is not UTF-8 text.") from error

    def _end(self) -> None:
        self.ended = True


class UploadReceiver:
    """Receives one upload. Memory stays at a few pieces, whatever the file's size."""

    def __init__(self, settings: Settings, store: AudioStore, admission: Admission) -> None:
        self._settings = settings
        self._store = store
        self._admission = admission

    async def receive(
        self, content_type: str, content_length: int | None, body: AsyncIterator[bytes], *, waits: bool
    ) -> Upload:
        """Store the audio of a multipart body and check its fields.

        waits: the client asked for leave to send ('Expect: 100-continue'), so a refusal needs no draining.
        Raises InvalidRequest, EmptyAudio, UnsupportedAudio, UploadTooLarge, TooBusy, StorageFull,
        DatabaseUnavailable; nothing is left then.
        """
        try:
            parser, form = self._parser(content_type)
            if content_length is not None and content_length > self._settings.max_upload_bytes + _FORM_OVERHEAD_BYTES:
                raise self._too_large()
            await self._admission.check_upload()
            with self._admission.upload(content_length) as space:
                waits = False  # it has leave to send now
                return await self._store_upload(parser, form, body, space)
        except StreametricsError:
            if not waits:
                await _drain(body)
            raise

    async def _store_upload(
        self, parser: MultipartParser, form: _Form, body: AsyncIterator[bytes], space: Reservation
    ) -> Upload:
        writer = await to_thread.run_sync(self._store.writer)
        try:
            file = _IncomingFile(writer, space, self._settings.max_upload_bytes, self._too_large)
            async for chunk in body:
                _feed(parser, chunk)
                await file.take(form.file_bytes)
            return await self._finish(form, file, writer)
        finally:
            # Harmless once the file is committed; also when the client has gone away.
            writer.discard()

    def _parser(self, content_type: str) -> tuple[MultipartParser, _Form]:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest("Send the audio as a multipart form: curl -X POST -F audio=@recording.wav …")
        form = _Form()
        try:
            return MultipartParser(boundary, form.callbacks()), form
        except FormParserError as error:
            raise InvalidRequest("The form's boundary is not valid.") from error

    async def _finish(self, form: _Form, file: "_IncomingFile", writer: AudioWriter) -> Upload:
        if not form.ended:
            raise InvalidRequest("The upload ended before its form did: send it again.")
        if not form.has_file:
            raise InvalidRequest("The field 'audio' is missing: send the sound as '-F audio=@recording.wav'.")
        request = job_request(form.fields)
        await file.flush()
        if file.size_bytes == 0:
            raise EmptyAudio
        container = file.container()
        long = guess_is_long(file.head, file.size_bytes, self._settings.live_max_s)
        key = await to_thread.run_sync(writer.commit)
        return Upload(request, key, container, JobKind.LONG if long else JobKind.LIVE)

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The audio is larger than the limit of {self._settings.max_upload_mb} MB (MAX_UPLOAD_MB). Send the sound "
            "alone, for example: ffmpeg -i video.mp4 -vn -ac 1 -b:a 48k sound.opus"
        )


class _IncomingFile:
    """The file's bytes on their way to the store, judged as soon as enough of them are there."""

    def __init__(
        self,
        writer: AudioWriter,
        space: Reservation,
        limit_bytes: int,
        too_large: Callable[[], UploadTooLarge],
    ) -> None:
        self._writer = writer
        self._space = space
        self._limit_bytes = limit_bytes
        self._too_large = too_large
        self._pending = bytearray()
        self._judged = False
        self.head = b""
        self.size_bytes = 0

    async def take(self, data: bytearray) -> None:
        """Move the bytes out of `data`. Raises UploadTooLarge, UnsupportedAudio, StorageFull."""
        if not data:
            return
        self.size_bytes += len(data)
        if self.size_bytes > self._limit_bytes:
            raise self._too_large()
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(data[: HEAD_BYTES - len(self.head)])
        self._pending += data
        data.clear()
        if not self._judged and len(self.head) >= HEAD_BYTES:
            self.container()
            self._judged = True
        if len(self._pending) >= _WRITE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write what is pending."""
        pending, self._pending = bytes(self._pending), bytearray()

        def write() -> None:
            with self._space.writing(len(pending)):
                self._writer.write(pending)

        await to_thread.run_sync(write)

    def container(self) -> str:
        """The name of FFmpeg's demuxer for this file, by its first bytes. Raises UnsupportedAudio."""
        container = sniff(self.head)
        if container is None:
            raise UnsupportedAudio
        return container


def job_request(fields: dict[str, str]) -> JobRequest:
    """The text fields of an upload, checked. Raises InvalidRequest with the field's name and what it may be."""
    for name, limit in (FIELD_LIMITS | OPTIONAL_FIELDS).items():
        if name not in fields:
            if name in OPTIONAL_FIELDS:
                continue
            raise InvalidRequest(
                f"The field '{name}' is missing: {', '.join([FILE_FIELD, *FIELD_LIMITS])} are required "
                "('game' and 'title' may be empty)."
            )
        if len(fields[name]) > limit:
            raise InvalidRequest(f"The field '{name}' is longer than {limit} characters.")
        if not fields[name].strip() and name not in MAY_BE_EMPTY:
            raise InvalidRequest(f"The field '{name}' is empty.")
        if "\x00" in fields[name]:
            raise InvalidRequest(f"The field '{name}' holds a null character.")
    speech_language = fields.get("speech_language", "").strip()
    return JobRequest(
        streamer=fields["streamer"],
        language=languages.parse(fields["language"]),
        game=fields["game"],
        time=fields["time"],
        title=fields["title"],
        speech_language=languages.parse_speech(speech_language) if speech_language else None,
    )


def _feed(parser: MultipartParser, chunk: bytes) -> None:
    try:
        parser.write(chunk)
    except FormParserError as error:
        raise InvalidRequest("The multipart form is damaged.") from error


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read and forget what a refused client still sends, for a while."""
    until = time.monotonic() + _DRAIN_S
    async for _ in body:
        if time.monotonic() > until:
            return


def _shown(name: str) -> str:
    return repr(name[:40])
