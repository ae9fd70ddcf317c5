"""Writes the few lines at the end of a start: what runs, what is missing, and a command to copy."""

import os
import shlex
from pathlib import Path

from streametrics.net.urls import without_password
from streametrics.preflight.ports import local_url
from streametrics.preflight.settings_errors import display
from streametrics.settings import Settings
from streametrics.supervisor.readiness_probe import Readiness


def text(settings: Settings, ready: Readiness, *, started_in_s: float, queue_is_embedded: bool, log_file: Path) -> str:
    """Write the lines, for a person who has never seen this service."""
    url = local_url(settings)
    return "\n".join(
        (
            "",
            f"StreaMetrics is ready after {started_in_s:.0f} s.",
            f"  API      {url} (what it can do: {url}/docs)",
            f"  Whisper  {_whisper(settings, ready)}",
            f"  Summary  {_summary(settings, ready)}",
            f"  Queue    {_queue(settings, queue_is_embedded)}",
            f"  Data     {display(settings.data_dir)}, log {display(log_file)}",
            "Send a recording, then ask for its result with the id that comes back:",
            f"  {curl_line(settings)}",
            f"  curl {_key_option(settings)}{url}/summarize/status/TASK_ID",
            "Ctrl-C stops everything.",
            "",
        )
    )


def curl_line(settings: Settings) -> str:
    """Write a command to copy, with all six fields."""
    fields = ("streamer=me", "language=en", "game=Chess", "time=00:00:00", "title=My stream")
    forms = " ".join(f"-F {shlex.quote(field)}" for field in ("audio=@recording.wav", *fields))
    return f"curl {_key_option(settings)}{forms} {local_url(settings)}/summarize/"


def _key_option(settings: Settings) -> str:
    # A name, not the key: what is printed here ends in a log. A shell knows what is in the environment, not in .env.
    if not settings.internal_api_key:
        return ""
    key = "$INTERNAL_API_KEY" if os.environ.get("INTERNAL_API_KEY") else "YOUR_KEY"
    return f'-H "X-API-Key: {key}" '


def _whisper(settings: Settings, ready: Readiness) -> str:
    worker = ready.checks.get("transcribe_worker", {})
    facts = [worker.get("model") or settings.whisper_model, worker.get("engine"), worker.get("precision")]
    return ", ".join(str(fact) for fact in facts if fact)


def _summary(settings: Settings, ready: Readiness) -> str:
    if settings.summarizer != "ollama":
        return f"{settings.summarizer} (SUMMARIZER)"
    server = ready.checks.get("model_server", {})
    detail = str(server.get("detail") or "")
    if server.get("ok"):
        return detail or f"{settings.mistral_model} by Ollama at {settings.ollama_url}"
    until_then = "summaries are extractive" if settings.summary_fallback == "extractive" else "jobs end as errors"
    return f"{detail or f'Ollama does not answer at {settings.ollama_url}'} Until then {until_then}."


def _queue(settings: Settings, is_embedded: bool) -> str:
    if is_embedded:
        return f"embedded Valkey on 127.0.0.1:{settings.queue_port}, in {display(settings.data_dir / 'queue')}"
    return f"what answers at {without_password(settings.effective_redis_url)}"
