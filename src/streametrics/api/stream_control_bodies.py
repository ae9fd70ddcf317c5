"""Renders what the owner of streams says about them, for `/v1`, and reads the requests."""

from pydantic import BaseModel, ConfigDict, Field

from streametrics.jobs.stream_control import Forgotten

#: The longest stretch that can be named, in seconds.
MOST_S = 1e9


class ForgetSpan(BaseModel):
    """A stretch to be forgotten, by the times of the transcript (`offset=upload`)."""

    model_config = ConfigDict(extra="forbid")

    start: float = Field(ge=0, le=MOST_S, allow_inf_nan=False, description="In seconds.", examples=[3780.0])
    end: float = Field(ge=0, le=MOST_S, allow_inf_nan=False, description="In seconds.", examples=[3810.0])


class ForgetLast(BaseModel):
    """The last seconds to be forgotten: up to this moment while the stream is live, else up to its end."""

    model_config = ConfigDict(extra="forbid")

    last_s: float = Field(gt=0, le=MOST_S, allow_inf_nan=False, description="In seconds.", examples=[60.0])


class ForgottenBody(BaseModel):
    """What was forgotten."""

    stream_id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    start: float = Field(description="In seconds from the first chunk on.", examples=[3780.0])
    end: float = Field(
        description="Of a live stream up to a few seconds from now, as what was just said is sent a moment later.",
        examples=[3810.0],
    )
    segments: int = Field(description="Segments of the transcript that had words in it.", examples=[4])
    jobs: int = Field(description="Jobs whose own results were erased, or that were stopped.", examples=[2])
    state_version: int = Field(description="Of the stream, from now on.", examples=[147])


def forgotten_body(done: Forgotten) -> ForgottenBody:
    """Render what was forgotten."""
    return ForgottenBody(
        stream_id=done.stream.id,
        start=done.start_s,
        end=done.end_s,
        segments=done.segments,
        jobs=done.jobs,
        state_version=done.stream.state_version,
    )
