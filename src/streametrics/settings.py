"""Every environment variable, once, with its unit and default. `.env` in the working folder is read too."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: Printed in the first version's documentation, so everybody knows it: it protects nothing.
PUBLISHED_KEY = "streametrics-secret"
#: A bind to an address that other machines reach wants a key of at least this many characters.
KEY_MIN_LENGTH = 16
#: What is written is for this account alone: no group, no others.
PRIVATE_UMASK = 0o077
#: What a killed worker had taken from the queue comes back after this, in seconds; a task has to end before.
VISIBILITY_TIMEOUT_S = 720

EngineName = Literal["auto", "openai-whisper", "openai-whisper-fast", "faster-whisper", "fake"]
#: Names of before, which keep working: that of our own path said "int8", which is true on some processors only.
ENGINE_ALIASES: dict[str, EngineName] = {"openai-whisper-int8": "openai-whisper-fast"}
SummarizerName = Literal["ollama", "openai_compatible", "extractive", "fake"]

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """The settings of one process; frozen, so that nothing changes them behind another's back."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5000
    data_dir: Path = Path("./data")
    model_dir: Path = Path("~/.cache/streametrics")
    #: Unset: what answers on 127.0.0.1:`queue_port`, else the embedded queue there.
    redis_url: str = ""
    queue_port: Annotated[int, Field(ge=1, le=65535)] = 6379
    #: Unset: SQLite in `data_dir`.
    database_url: str = ""

    #: The simple key, with every right; while there is no key, calls are open on loopback.
    internal_api_key: str = ""
    #: Origins (`scheme://host[:port]`) of pages that may call, beside the extension's and our own;
    #: comma-separated.
    allowed_origins: CommaSeparated = ()
    #: Names by which the service may be called, beside loopback names; comma-separated.
    allowed_hosts: CommaSeparated = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    max_upload_mb: PositiveInt = 500
    max_audio_hours: PositiveFloat = 12
    #: A job of at most this much sound is live, in seconds.
    live_max_s: PositiveFloat = 60
    live_deadline_s: PositiveFloat = 25
    #: Live jobs that one worker transcribes at the same time where its engine gains by it, and half as many parts of a
    #: recording; 1 turns it off.
    live_batch_max: PositiveInt = 8
    #: Length aimed at when a long recording is cut at silences, in seconds.
    part_target_s: PositiveFloat = 60

    #: While a live chunk has waited for longer than this, in seconds, no upload is accepted.
    max_live_wait_s: PositiveFloat = 30
    #: Chunks, parts of recordings and summaries that may wait before no upload is accepted.
    max_waiting: PositiveInt = 5000
    #: Uploads that may come in at once, for each API process: more than 400 slow clients hold before they are cut.
    max_uploads: PositiveInt = 512
    #: What uploads and decoded recordings leave free on the disk of `data_dir`.
    min_free_disk_mb: NonNegativeInt = 500
    #: Recordings that may be decoded, or be decoding, and not transcribed yet, over all workers: an hour takes 115 MB.
    max_decoded_recordings: PositiveInt = 2

    whisper_model: str = "base"
    whisper_engine: EngineName = "auto"

    summarizer: SummarizerName = "ollama"
    #: What happens when the model's summary cannot be had.
    summary_fallback: Literal["extractive", "error"] = "extractive"
    summarizer_concurrency: PositiveInt = 1
    #: Summarize a long recording piece by piece while it is still being transcribed; WRITE_AHEAD is its name of before.
    summarize_while_transcribing: bool = Field(
        default=True, validation_alias=AliasChoices("summarize_while_transcribing", "write_ahead")
    )
    ollama_url: str = "http://localhost:11434"
    mistral_model: str = "mistral"
    mistral_num_ctx: PositiveInt = 8192
    #: Time limit of one call, in seconds.
    mistral_timeout: PositiveFloat = 60
    #: Tries after the first one, and the step of the waits between them in seconds: 2, 4, 6.
    mistral_max_retries: NonNegativeInt = 3
    mistral_retry_delay: NonNegativeFloat = 2
    #: Any server of `/v1/chat/completions`; limits and retries are those above.
    openai_base_url: str = "http://localhost:8000/v1"
    #: A SecretStr, so that no log shows it with the other settings.
    openai_api_key: SecretStr = SecretStr("")
    openai_model: str = ""
    openai_context_tokens: PositiveInt = 8192
    #: After so many failed calls in a row the model server is not called for so many seconds.
    breaker_failures: PositiveInt = 3
    breaker_retry_s: PositiveFloat = 30

    #: Celery's limits for one task, in seconds; a claim's deadline is the hard one.
    task_time_limit_s: PositiveFloat = 600
    task_soft_time_limit_s: PositiveFloat = 540
    lease_s: PositiveFloat = 10
    max_attempts: PositiveInt = 3
    #: How often maintenance frees expired leases and sends lost messages again, in seconds; KEEPER_INTERVAL_S is its
    #: name of before.
    maintenance_interval_s: PositiveFloat = Field(
        default=2, validation_alias=AliasChoices("maintenance_interval_s", "keeper_interval_s")
    )
    #: How long a waiting job's message may be missing before it is sent again, in seconds.
    resend_after_s: PositiveFloat = 5
    #: How long a job may wait for a worker before it fails, in seconds: a weekend without one should not leave a client
    #: waiting for ever.
    wait_limit_s: PositiveFloat = 86_400
    #: From the final state, in seconds; then text and fields are erased and the id answers 410.
    result_ttl_s: int = Field(default=3600, gt=0, le=36_500 * 86_400)
    #: The same for jobs that are sent to `POST /v1/jobs`, in days.
    job_retention_days: float = Field(default=30, gt=0, le=36_500)
    #: Days that an erased id goes on answering 410; then 404.
    tombstone_days: PositiveFloat = 30

    #: Whether chunks join their streamer's stream.
    stream_memory: bool = True
    #: A stream ends after so many minutes without a chunk.
    stream_idle_min: PositiveFloat = 60
    #: Days from a stream's end until its words are erased, and then the stream itself; 0: no words are kept.
    stream_transcript_days: NonNegativeFloat = 7
    stream_recap_days: NonNegativeFloat = 30

    @field_validator("allowed_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", "model_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("whisper_engine", mode="before")
    @classmethod
    def _present_engine_name(cls, value: object) -> object:
        return ENGINE_ALIASES.get(value, value) if isinstance(value, str) else value

    @field_validator("internal_api_key")
    @classmethod
    def _ignore_published_key(cls, value: str) -> str:
        return "" if value == PUBLISHED_KEY else value

    @property
    def queue_password_file(self) -> Path:
        """Where the embedded queue's password lies, for this account alone; there is none before its first start."""
        return self.data_dir / "queue" / "password"

    @property
    def effective_redis_url(self) -> str:
        if self.redis_url:
            return self.redis_url
        try:
            password = self.queue_password_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            password = ""
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.queue_port}/0"

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'streametrics.db'}"

    def keep_s(self, is_kept: bool) -> float:
        """Compute for how long a finished job is kept, in seconds. is_kept: it was sent to `POST /v1/jobs`."""
        return self.job_retention_days * 86_400 if is_kept else self.result_ttl_s

    @property
    def database_setting(self) -> str:
        """Name the setting that says where the database is."""
        return "DATABASE_URL" if self.database_url else "DATA_DIR"

    def with_model(self, model: str | None) -> "Settings":
        """Copy the settings with another model for summaries; None changes nothing."""
        if model is None:
            return self
        names = {"mistral_model", "openai_model"} & set(type(self).model_fields)
        return self.model_copy(update=dict.fromkeys(names, model))

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * 1_000_000

    @property
    def min_free_bytes(self) -> int:
        return self.min_free_disk_mb * 1_000_000

    @property
    def max_audio_s(self) -> float:
        return self.max_audio_hours * 3600
