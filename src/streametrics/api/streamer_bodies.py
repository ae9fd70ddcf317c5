"""Renders the settings of streamers for `/v1`, and reads the requests to change them."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from streametrics.api.job_bodies import Streamer, instant
from streametrics.errors import InvalidRequest
from streametrics.jobs import streamers
from streametrics.streams.hidden_words import phrases_to_hide
from streametrics.text import languages

#: The most hidden words, the longest of them in characters, and the most languages.
MOST_WORDS, LONGEST_WORD, MOST_LANGUAGES = 200, 60, 5
#: Longer than anybody keeps anything.
MOST_DAYS = 36_500


def _word(given: str) -> str:
    if not phrases_to_hide([given]):
        raise PydanticCustomError("hidden_word", "a hidden word has a letter or a digit")
    return given


def _language(given: str) -> str:
    try:
        return languages.parse(given)
    except InvalidRequest as error:
        raise PydanticCustomError("language", "{why}", {"why": str(error)}) from error


HiddenWord = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_WORD, json_schema_extra={"format": "hidden-word"}),
    AfterValidator(_word),
]
Language = Annotated[
    str, Field(min_length=1, max_length=100, json_schema_extra={"format": "language"}), AfterValidator(_language)
]
Days = Annotated[float, Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)]


class RetentionBody(BaseModel):
    """For how long streams are kept after their end, in days; null for as long as the service keeps them."""

    model_config = ConfigDict(extra="forbid")

    transcript_days: Days | None = Field(default=None, description="Their words; 0: none are kept.", examples=[1.0])
    recap_days: Days | None = Field(
        default=None, description="They themselves, at least as long as their words.", examples=[7.0]
    )


class StreamerChangeBody(BaseModel):
    """What is to be changed; what is left out, or null, stays."""

    model_config = ConfigDict(extra="forbid")

    hidden_words: list[HiddenWord] | None = Field(
        default=None,
        max_length=MOST_WORDS,
        description="Words and phrases, all of them. Whole words count, without regard to case and accents; `***` "
        "stands in their place from now on and in what was said before, where taking one off the list does not bring "
        "it back.",
        examples=[["Elm Street"]],
    )
    summary_languages: list[Language] | None = Field(
        default=None, max_length=MOST_LANGUAGES, description="For streams that begin from now on.", examples=[["fr"]]
    )
    retention: RetentionBody | None = Field(default=None, description="Only shorter than the service's own counts.")
    paused: bool | None = Field(default=None, description="As by `pause` and `resume` of a stream.")


class StreamerSettingsBody(BaseModel):
    """What is said about a streamer's streams."""

    streamer: Streamer
    paused: bool
    paused_at: str | None = Field(description="Null while its chunks are heard.")
    hidden_words: list[str] = Field(examples=[["Elm Street"]])
    summary_languages: list[str] = Field(examples=[["fr"]])
    retention: RetentionBody


def change_of(given: StreamerChangeBody) -> streamers.StreamerChange:
    """Read what is to be changed."""
    kept = given.retention
    return streamers.StreamerChange(
        hidden_words=given.hidden_words,
        summary_languages=given.summary_languages,
        retention=None if kept is None else (kept.transcript_days, kept.recap_days),
        is_paused=given.paused,
    )


def settings_body(found: streamers.Streamer) -> StreamerSettingsBody:
    """Render a streamer's settings."""
    said = found.settings
    return StreamerSettingsBody(
        streamer=Streamer(key=found.key, name=found.name),
        paused=said.paused_at is not None,
        paused_at=None if said.paused_at is None else instant(said.paused_at),
        hidden_words=list(said.hidden_words),
        summary_languages=list(said.summary_languages),
        retention=RetentionBody(transcript_days=said.transcript_days, recap_days=said.recap_days),
    )
