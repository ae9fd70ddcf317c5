"""The text fields of `POST /v1/jobs`: all may be left out, and what is not known is refused by name."""

import pytest

from streametrics.domain.job import JobKind, JobRequest
from streametrics.errors import InvalidRequest
from streametrics.uploads.job_fields import JobFields, read_job_fields


def read(**fields: str) -> JobFields:
    return read_job_fields({name: [value] for name, value in fields.items()}, "base", ["base", "whisper-1"])


def test_nothing_but_the_sound_is_needed() -> None:
    assert read() == JobFields(JobRequest(streamer="", language="", game="", time="", title=""), None)
    # A form with empty fields is the same
    assert (
        read(**dict.fromkeys(("kind", "summary", "model", "summary_language", "speech_language", "track"), ""))
        == read()
    )


def test_what_is_said_is_taken() -> None:
    found = read(
        kind="recording",
        model="base",
        speech_language="French",
        summary_language="ja",
        track="mix",
        streamer="Zoé",
        game="Go",
        title="t",
        time="00:01:00",
    )
    assert found.kind is JobKind.LONG
    assert found.request == JobRequest("Zoé", "ja", "Go", "00:01:00", "t", speech_language="fr", track="mix")
    assert read(kind="live").kind is JobKind.LIVE


@pytest.mark.parametrize(
    ("sent", "wants", "length"), [("none", False, None), ("short", True, "short"), ("long", True, "long")]
)
def test_the_summary_has_the_length_asked_for(sent: str, wants: bool, length: str | None) -> None:
    request = read(summary=sent).request
    assert (request.wants_summary, request.summary_length) == (wants, length)


def test_a_bare_language_names_both() -> None:
    with pytest.raises(InvalidRequest, match=r"'speech_language'.*'summary_language'"):
        read(language="en")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("kind", "stream", "live, recording"),
        ("summary", "medium", "none, short, long"),
        ("model", "large-v9", "'base' is"),
        ("format", "srt", "no field 'format'"),
        ("summary_language", "Klingonish", "Klingonish"),
        ("track", "first", "'track'"),
        ("title", "x" * 1001, "longer than 1000"),
        ("streamer", "a\x00b", "null character"),
        ("kind", "live" * 5, "longer than 16"),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read(**{field: value})


def test_a_field_that_came_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'summary' was sent 2 times"):
        read_job_fields({"summary": ["short", "none"]}, "base", ["base"])


def test_of_weights_of_ones_own_no_path_is_told() -> None:
    with pytest.raises(InvalidRequest, match="'large' is not installed: 'my' is"):
        read_job_fields({"model": ["large"]}, "/secret/my.pt", ["my", "whisper-1"])
    assert read_job_fields({"model": ["my"]}, "/secret/my.pt", ["my", "whisper-1"]).kind is None


def test_every_field_at_fault_is_told() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(language="en", kind="stream", title="x" * 1001, summary_language="Klingonish", time="0", track="first")
    faults = {fault.path[0]: fault.detail for fault in refused.value.faults}
    assert list(faults) == ["language", "title", "kind", "summary_language", "track"]
    assert str(refused.value) == " ".join(faults.values())
