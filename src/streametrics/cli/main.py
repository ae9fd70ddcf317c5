"""Parses the command line and runs one of `up`, `api`, `worker`, `keys`, `doctor`, `weights`, `transcribe` and `add`.

Each command imports what it needs, so that `--help` answers at once.
"""

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from streametrics.cli import arguments
from streametrics.errors import StreametricsError, UnsafeSettings, UsageError
from streametrics.preflight import ports, settings_errors
from streametrics.preflight.settings_errors import InvalidSettings
from streametrics.settings import PRIVATE_UMASK, Settings

#: Exit codes, beside 0: something failed, the settings or arguments are at fault, Ctrl-C.
FAILED, BAD_SETTINGS, INTERRUPTED = 1, 2, 130


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Every error ends as one sentence on standard error."""
    options = arguments.parser().parse_args(given)
    if options.run not in (
        _weights,
        _transcribe,
        _add,
    ):  # MODEL_DIR may be shared by several accounts, texts are the user's
        os.umask(PRIVATE_UMASK)
    try:
        code = _RUN[options.run](options)
    except (InvalidSettings, UnsafeSettings, UsageError) as error:
        print(error, file=sys.stderr)
        return BAD_SETTINGS
    except StreametricsError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    return code


def _settings(options: argparse.Namespace) -> Settings:
    """Load the settings; `--host` and `--port` override HOST and PORT."""
    for name in ("host", "port"):
        if getattr(options, name, None) is not None:
            os.environ[name.upper()] = getattr(options, name)
    return settings_errors.load_settings()


def _up(options: argparse.Namespace) -> int:
    if sys.platform == "win32":
        print("On Windows, run start_api.bat and start_celery.bat instead.", file=sys.stderr)
        return FAILED
    from streametrics.supervisor.up import ProcessSelection, up

    selection = ProcessSelection(
        transcribe=not options.no_transcribe, summarize=not options.no_summarize, api=not options.no_api
    )
    return up(_settings(options), selection)


def _api(options: argparse.Namespace) -> int:
    from streametrics.api.server.run import run
    from streametrics.observability import logging as logs
    from streametrics.preflight import checks, private_files

    settings = _settings(options)
    warnings = checks.require_safe(settings)
    ports.require_free_port(settings)
    logs.configure(settings.log_level, "api")
    private_files.mend(settings.data_dir, settings.effective_database_url)
    for warning in warnings:
        logging.getLogger(__name__).warning(warning)
    run(settings)
    return 0


def _worker(options: argparse.Namespace) -> int:
    from streametrics.preflight import checks
    from streametrics.supervisor.commands import worker_command

    # Celery's process looks whether it may start: it can be started without us too. But it reads REDIS_URL before that.
    settings = _settings(options)
    checks.require_safe(settings, serves=False)
    if options.kind == "summarize":
        options.kind = "summarise"  # the name of its queue and of its leases, which stays
    command = worker_command(options.kind, settings)
    if sys.platform != "win32":
        os.execv(command[0], command)  # noqa: S606 - so that signals reach Celery itself
    return subprocess.call(command)


def _keys(options: argparse.Namespace) -> int:
    from streametrics.auth.principal import Scope
    from streametrics.cli import keys

    settings = _settings(options)
    if options.action == "add":
        return keys.add(settings, options.name, Scope(options.scope), options.reads_for)
    if options.action == "remove":
        return keys.remove(settings, options.name)
    return keys.show(settings)


def _doctor(options: argparse.Namespace) -> int:
    from streametrics.cli import doctor

    return doctor.main(as_json=options.json)


def _weights(options: argparse.Namespace) -> int:
    from streametrics.transcription import factory as transcriber_factory
    from streametrics.weights import cache as weights_cache

    settings = _settings(options)
    if options.action == "fetch":
        wanted = options.format or transcriber_factory.weights_format(transcriber_factory.resolve_engine(settings))
        path = weights_cache.ensure(
            options.name or settings.whisper_model, wanted or "ctranslate2", settings.model_dir, progress=True
        )
        print(path)
        return 0
    print(f"{'model':<18} {'format':<12} {'size':>9}  here")
    for row in weights_cache.listing(settings.model_dir):
        size = f"{row.size_bytes / 1e6:,.0f} MB" if row.size_bytes else ""
        here = ("yes, verified" if row.verified else "yes") if row.present else "no"
        print(f"{row.name:<18} {row.format:<12} {size:>9}  {here}")
    return 0


def _transcribe(options: argparse.Namespace) -> int:
    from streametrics.cli import transcribe

    def warn(text: str) -> None:
        print(text, file=sys.stderr)

    asked = transcribe.TranscribeOptions(
        language=options.language,
        output="text" if options.format == "txt" else options.format,
        target=options.output,
        track=options.track,
    )
    for text in transcribe.run(_settings(options), options.files, asked, warn=warn):
        print(text)
    return 0


def _add(options: argparse.Namespace) -> int:
    from streametrics.cli import add

    settings = _settings(options)
    fields = {
        "speech_language": options.language,
        "summary_language": options.summary_language,
        # Who gets the transcript does not wait for a summary that nobody asked for.
        "summary": options.summary or ("none" if options.get == "transcript" and not options.no_wait else None),
        "title": options.title,
        "streamer": options.streamer,
    }
    asked = add.AddOptions(
        url=options.url or ports.local_url(settings),
        # The operator's own key is for this machine's service, and not for whichever --url names.
        key=options.key or os.environ.get("STREAMETRICS_KEY") or ("" if options.url else settings.internal_api_key),
        fields={name: value for name, value in fields.items() if value},
        output="text" if options.format == "txt" else options.format,
        target=options.output,
        track=options.track,
        what=options.get,
        waits=not options.no_wait,
    )
    for text in add.run(settings, options.files, asked, warn=lambda text: print(text, file=sys.stderr)):
        print(text)
    return 0


_RUN = {
    "up": _up,
    "api": _api,
    "worker": _worker,
    "keys": _keys,
    "doctor": _doctor,
    "weights": _weights,
    "transcribe": _transcribe,
    "add": _add,
}
