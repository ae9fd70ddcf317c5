"""What a client may send to have a summary written anew: whatever it is, it is read or refused with a sentence."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.api.resummarize_request import ResummarizeRequest, read_resummarize_request
from streametrics.errors import InvalidRequest

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def read(body: bytes, content_type: str = JSON, *, below_v1: bool = False) -> ResummarizeRequest:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1_000):
            yield body[start : start + 1_000]

    return asyncio.run(read_resummarize_request(content_type, pieces(), below_v1=below_v1))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[" * 15_000, "damaged"),
        (b'{"prompt":' * 1_400, "damaged"),
        (b'{"prompt":' + b"[" * 7_000 + b"]" * 7_000 + b"}", "damaged|values are texts"),
        (b'{"prompt": "' + b"1" * 15_000 + b'"}', "longer than 500"),
        (b'{"prompt": ' + b"1" * 15_000 + b"}", "damaged"),
        (b'{"prompt": "\\ud800"}', "half a character"),
        (b'{"prompt": "a\\udfffb"}', "half a character"),
        (b'{"language": "\\udc00"}', "half a character"),
        (b'{"model": "\\ud9ab"}', "half a character"),
        (b'{"\\ud800": "x"}', "There is no field"),
        (b'{"prompt": "\\u0000"}', "null character"),
        (b'{"prompt": "\xed\xa0\x80"}', "damaged"),
        (b'{"prompt": NaN}', "values are texts"),
        (b'{"prompt": ["x"]}', "values are texts"),
        (b"\xff\xfe{", "damaged"),
        (b"{" * 16_001, "too long"),
        ('{"model": "Ëß"}'.encode(), "no model's name"),
        ('{"model": "m\u0661"}'.encode(), "no model's name"),
    ],
    ids=[*map(str, range(18))],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        read(body)
    str(refused.value).encode()


@pytest.mark.parametrize("body", [b"prompt=%00", b"model=%00", b"language=%00"])
def test_a_form_is_checked_as_well(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(body, FORM)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert read(b'{"prompt": "\\ud83c\\udfb2"}').extra_instruction == "🎲"


@given(
    st.binary(max_size=200)
    | st.text(st.characters(codec=None), max_size=50).map(lambda text: json.dumps({"prompt": text}).encode())
)
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for content_type in (JSON, FORM, "text/plain"):
        try:
            read(body, content_type).extra_instruction.encode()
        except InvalidRequest as refused:
            str(refused).encode()


def test_below_v1_every_field_at_fault_is_told() -> None:
    body = json.dumps({"model": "two words", "summary": "medium", "prompt": "x" * 501, "language": "en"}).encode()
    with pytest.raises(InvalidRequest) as refused:
        read(body, below_v1=True)
    assert {fault.path[0] for fault in refused.value.faults} == {"model", "summary", "prompt", "language"}
    # An old client is told of the first
    with pytest.raises(InvalidRequest, match="no field 'summary'") as refused:
        read(body)
    assert refused.value.faults == ()
