"""Receives an upload into the audio store: read as it comes, refused as early as it can be.

The form is parsed here and not by the framework, which would spool the whole file to disk before its size
or its first bytes could be looked at, and would then copy it.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from streametrics.audio.sniffing import HEAD_BYTES, MARGIN_BYTES, MAX_ZERO_BYTES, guess_is_long, sniff
from streametrics.domain.job import JobKind
from streametrics.errors import EmptyAudio, InvalidRequest, UnsupportedAudio, UploadTooLarge
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore, AudioWriter
from streametrics.uploads.admission import Admission, IsRepetition
from streametrics.uploads.disk_space import Reservation
from streametrics.uploads.fields import FILE_FIELD
from streametrics.uploads.multipart import Form, feed

#: What a form adds to its file: boundaries, headers and the text fields.
_FORM_OVERHEAD_BYTES = 200_000
#: Sound goes to disk in pieces of this size, in bytes.
_WRITE_BYTES = 1 << 20


Fields = TypeVar("Fields")
#: Checks a form's text fields, each with all its values. Arguments: the fields, and the Whisper model's name.
ReadFields: TypeAlias = Callable[[Mapping[str, list[str]], str], Fields]


@dataclass(frozen=True, slots=True)
class Upload(Generic[Fields]):
    """A stored upload, with what its form's text fields say: who holds the key has to delete it."""

    fields: Fields
    audio_key: str
    container: str
    kind: JobKind
    #: Of the file, in hexadecimal; empty where nobody asked for it.
    sha256: str = ""


class UploadReceiver:
    """Receives uploads. Memory stays at a few pieces each, whatever the file's size."""

    def __init__(self, settings: Settings, store: AudioStore, admission: Admission) -> None:
        self._settings = settings
        self._store = store
        self._admission = admission

    async def receive(
        self,
        content_type: str,
        content_length: int | None,
        body: AsyncIterator[bytes],
        *,
        file_field: str = FILE_FIELD,
        read_fields: ReadFields[Fields],
        wants_hash: bool = False,
        is_repetition: IsRepetition | None = None,
    ) -> Upload[Fields]:
        """Store the audio of a multipart body and check its fields.

        read_fields: checks the form's text fields. wants_hash: compute `sha256`, which costs a large file about as much
        as all the rest. is_repetition: see `Admission.check_waiting`.

        Returns, or raises, as soon as it can; what the client sends on is the server's business.
        Raises InvalidRequest, EmptyAudio, UnsupportedAudio, UploadTooLarge, TooBusy, StorageFull,
        DatabaseUnavailable; nothing is left then.
        """
        parser, form = self._parser(content_type, file_field)
        if content_length is not None and content_length > self._max_body_bytes:
            raise self._too_large()
        await self._admission.check_upload(is_repetition)
        with self._admission.upload(content_length) as space:
            return await self._store_upload(parser, form, body, space, read_fields, wants_hash)

    @property
    def _max_body_bytes(self) -> int:
        return self._settings.max_upload_bytes + _FORM_OVERHEAD_BYTES

    async def _store_upload(
        self,
        parser: MultipartParser,
        form: Form,
        body: AsyncIterator[bytes],
        space: Reservation,
        read_fields: ReadFields[Fields],
        wants_hash: bool,
    ) -> Upload[Fields]:
        writer = await to_thread.run_sync(self._store.writer)
        try:
            file = _IncomingFile(writer, space, self._settings.max_upload_bytes, self._too_large, wants_hash)
            body_bytes = 0
            async for chunk in body:
                body_bytes += len(chunk)
                feed(parser, chunk)
                await file.take(form.file_bytes)
                if form.ended:
                    break  # what follows the last boundary is no part of the form, and would hold its place
                if body_bytes > self._max_body_bytes:
                    raise self._too_large()
            return await self._finish(form, file, writer, read_fields)
        finally:
            # Harmless once the file is committed; also when the client has gone away.
            writer.discard()

    def _parser(self, content_type: str, file_field: str) -> tuple[MultipartParser, Form]:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest(f"Send the audio as a multipart form: curl -X POST -F {file_field}=@recording.wav …")
        form = Form(file_field)
        try:
            return MultipartParser(boundary, form.callbacks()), form
        except FormParserError as error:
            raise InvalidRequest("The form's boundary is not valid.") from error

    async def _finish(
        self, form: Form, file: "_IncomingFile", writer: AudioWriter, read_fields: ReadFields[Fields]
    ) -> Upload[Fields]:
        if not form.ended:
            raise InvalidRequest("The upload ended before its form did: send it again.")
        fields = self._read_fields(form, read_fields)
        await file.flush()
        if file.size_bytes == 0:
            raise EmptyAudio(field=form.file_field)
        container = file.container()
        long = guess_is_long(file.head, file.size_bytes, self._settings.live_max_s)
        key = await to_thread.run_sync(writer.commit)
        return Upload(fields, key, container, JobKind.LONG if long else JobKind.LIVE, file.sha256)

    def _read_fields(self, form: Form, read_fields: ReadFields[Fields]) -> Fields:
        """Check the form's fields, the file among them. Raises InvalidRequest."""
        if form.has_file:
            return read_fields(form.fields, self._settings.whisper_model)
        own = form.file_field
        missing = InvalidRequest(
            f"The field '{own}' is missing: send the sound as '-F {own}=@recording.wav'.", field=own
        )
        try:
            read_fields(form.fields, self._settings.whisper_model)
        except InvalidRequest as others:
            missing.tell_of(missing.faults + others.faults)
        raise missing

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"The audio is larger than the limit of {self._settings.max_upload_mb} MB (MAX_UPLOAD_MB). Send the sound "
            "alone, for example: ffmpeg -i video.mp4 -vn -ac 1 -b:a 48k sound.opus"
        )


class _IncomingFile:
    """Writes the file's bytes to the store, and checks their format as soon as enough of them are there."""

    def __init__(
        self,
        writer: AudioWriter,
        space: Reservation,
        limit_bytes: int,
        too_large: Callable[[], UploadTooLarge],
        wants_hash: bool,
    ) -> None:
        self._writer = writer
        self._space = space
        self._limit_bytes = limit_bytes
        self._too_large = too_large
        self._pending = bytearray()
        self._judged = False
        self.head = b""
        self.size_bytes = 0
        self._hash = hashlib.sha256() if wants_hash else None

    async def take(self, data: bytearray) -> None:
        """Move the bytes out of `data`. Raises UploadTooLarge, UnsupportedAudio, StorageFull."""
        if not data:
            return
        self.size_bytes += len(data)
        if self.size_bytes > self._limit_bytes:
            raise self._too_large()
        if len(self.head) < HEAD_BYTES:
            self._take_head(bytes(data))
        self._pending += data
        if self._hash is not None:
            self._hash.update(data)
        data.clear()
        if not self._judged and len(self.head) >= HEAD_BYTES:
            self.container()
            self._judged = True
        if len(self._pending) >= _WRITE_BYTES:
            await self.flush()

    def _take_head(self, data: bytes) -> None:
        """Collect the first bytes; a file that begins with zeros is judged by what follows them."""
        head = self.head + data
        is_zeros = len(head) >= HEAD_BYTES and not head[:HEAD_BYTES].strip(b"\0")
        if is_zeros and self.size_bytes < MAX_ZERO_BYTES:
            head = bytes(MARGIN_BYTES) + head.lstrip(b"\0")
        self.head = head[:HEAD_BYTES]

    async def flush(self) -> None:
        """Write what is pending."""
        pending, self._pending = bytes(self._pending), bytearray()

        def write() -> None:
            with self._space.writing(len(pending)):
                self._writer.write(pending)

        await to_thread.run_sync(write)

    @property
    def sha256(self) -> str:
        return "" if self._hash is None else self._hash.hexdigest()

    def container(self) -> str:
        """Find the name of FFmpeg's demuxer for this file, by its first bytes. Raises UnsupportedAudio."""
        container = sniff(self.head)
        if container is None:
            raise UnsupportedAudio
        return container
