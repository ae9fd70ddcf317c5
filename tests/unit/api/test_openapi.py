"""The document describes what is really answered: a generated client has every field, with its type."""

import pytest

from streametrics.api.openapi import Result, Status
from streametrics.app import create_app
from streametrics.domain.job import JobRequest, JobState, Warn
from streametrics.domain.status import JobResult, JobStatus, ResultJson, error_body
from streametrics.domain.transcript import Note, Segment, TimeSpan, Transcript
from streametrics.settings import Settings

WARNING = Warn("audio_truncated", "The file is cut off.")
REQUEST = JobRequest(streamer="zoe_tv", language="en", game="", time="1", title="", parent_task_id="p")
RESULT = JobResult(
    Transcript((Segment(0, 2.4, "Hello."),), "en"), "She says hello.", "ollama", "mistral", (WARNING,), "7"
)
STATUSES = [
    JobStatus(JobState.QUEUED, 0),
    JobStatus(JobState.TRANSCRIBING, 20, transcription=None, eta_s=3.14),
    JobStatus(JobState.TRANSCRIBING, 20, "Hello.", notes=(Note(TimeSpan(0, 60), "A greeting."),), warnings=(WARNING,)),
    JobStatus(JobState.TRANSCRIBED, 50, "Hello.", model_server_missing=True),
    JobStatus(JobState.SUMMARIZING, 70, "Hello.", partial_summary="She"),
    JobStatus(JobState.DONE, 100, result=RESULT.to_json(REQUEST), warnings=(WARNING,)),
    JobStatus(JobState.FAILED, 0, error="It is damaged.", error_code="audio_unreadable"),
    JobStatus(JobState.FAILED, 0, "Hello.", error="Nobody answers.", error_code="timed_out"),
]


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.state.value)
def test_each_answer_to_a_poll_is_described_with_its_types(status: JobStatus) -> None:
    body = status.body()
    assert set(body) <= set(Status.model_fields)
    described = Status.model_validate(body, strict=True)
    assert described.model_dump(exclude_unset=True) == body


def test_every_step_and_status_is_described_and_no_other() -> None:
    schema = Status.model_json_schema()["properties"]
    bodies = [status.body() for status in STATUSES]
    assert set(schema["status"]["enum"]) == {body["status"] for body in bodies}
    assert set(schema["current_step"]["enum"]) == {body["current_step"] for body in bodies if "current_step" in body}


def test_a_result_has_the_fields_that_are_described() -> None:
    assert set(Result.model_fields) == set(ResultJson.__annotations__)
    assert set(Status.model_fields) >= set(error_body("", ""))


def test_what_may_be_absent_has_no_default_and_only_what_is_ever_null_may_be_null() -> None:
    schemas = create_app(Settings(_env_file=None)).openapi()["components"]["schemas"]
    fields = {
        (name, field): described
        for name, schema in schemas.items()
        for part in schema.get("allOf", [schema])
        for field, described in part.get("properties", {}).items()
    }
    assert [place for place, described in fields.items() if "default" in described] == []
    nullable = {
        (name, field)
        for (name, field), described in fields.items()
        if name in ("Status", "Result", "Problem") and {"type": "null"} in described.get("anyOf", [])
    }
    assert nullable == {
        ("Status", "transcription"),
        *(("Result", name) for name in ("model", "prompt_version", "speech_language")),
    }


def test_a_generated_client_can_read_every_answer() -> None:
    # Given what generators do: they read an answer by the first type that is described for its status
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    answers = {
        operation["operationId"]: (status, list(answer.get("content", {})), answer)
        for path, operations in paths.items()
        if path.startswith("/v1/")
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    mixed = {
        name
        for name, (_, kinds, _) in answers.items()
        if "application/json" in kinds and any(not kind.endswith("json") for kind in kinds)
    }
    # Expect no answer to be of several, but that of a stream, which OpenAI's API has in one place
    assert mixed == {"createTranscription"}
    for name, (status, kinds, answer) in answers.items():
        assert (status == "204") is not bool(kinds), f"{name} has a body that is not described"
        assert all(described["schema"] for described in answer.get("content", {}).values()), name
    assert answers["getTranscriptText"][1][0] == "text/plain"
    assert answers["createTranscription"][1][0] == "application/json"
    assert {answers[f"create{name}Text"][1][0] for name in ("Transcription", "Translation")} == {"text/plain"}
