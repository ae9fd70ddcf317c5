"""An upload as bytes, for tests that send it piece by piece."""

from tests.support.stack import FIELDS

BOUNDARY = "x" * 16


def upload_body(audio: bytes) -> bytes:
    """The form of an upload."""
    fields = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in FIELDS.items()
    )
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
    return (fields + head).encode() + audio + f"\r\n--{BOUNDARY}--\r\n".encode()
