"""Parses the command line and runs one of `up`, `api`, `worker`, `keys`, `doctor`, `weights` and `transcribe`.

Each command imports what it needs, so that `--help` answers at once.
"""

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from streametrics import __version__
from streametrics.audio import tracks
from streametrics.errors import StreametricsError, UnsafeSettings, UsageError
from streametrics.preflight import ports, settings_errors
from streametrics.preflight.settings_errors import InvalidSettings
from streametrics.settings import PRIVATE_UMASK, Settings

#: Exit codes, beside 0: something failed, the settings or arguments are at fault, Ctrl-C.
FAILED, BAD_SETTINGS, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Every error ends as one sentence on standard error."""
    options = _parser().parse_args(arguments)
    if options.run not in (_weights, _transcribe):  # MODEL_DIR may be shared by several accounts, texts are the user's
        os.umask(PRIVATE_UMASK)
    try:
        code: int = options.run(options)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Turns a live stream's sound into text and a summary. Settings come from the environment and .env.",
    )
    parser.add_argument("--version", action="version", version=f"StreaMetrics API {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_up(commands)
    _add_api(commands)
    _add_worker(commands)
    _add_keys(commands)
    _add_doctor(commands)
    _add_weights(commands)
    _add_transcribe(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _program() -> str:
    """Name this program as it was started, for lines that are copied from its help."""
    return "streametrics" if Path(sys.argv[0]).stem == "streametrics" else "python -m streametrics"


def _command(commands: Commands, name: str, purpose: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")


def _add_up(commands: Commands) -> None:
    parser = _command(commands, "up", "run everything on this machine until Ctrl-C (./start.sh)")
    parser.add_argument("--host", help="where the API listens (HOST, default 127.0.0.1)")
    parser.add_argument("--port", help="the API's port, 0 for any free one (PORT, default 5000)")
    parser.add_argument("--no-transcribe", action="store_true", help="no Whisper worker here")
    parser.add_argument(
        "--no-summarize", "--no-summarise", action="store_true", help="no worker for the model server here"
    )
    parser.add_argument("--no-api", action="store_true", help="workers only; the API runs elsewhere")
    parser.set_defaults(run=_up)


def _add_api(commands: Commands) -> None:
    parser = _command(commands, "api", "run the HTTP API alone (start_api.bat)")
    parser.add_argument("--host", help="where the API listens (HOST, default 127.0.0.1)")
    parser.add_argument("--port", help="the API's port (PORT, default 5000)")
    parser.set_defaults(run=_api)


def _add_worker(commands: Commands) -> None:
    parser = _command(commands, "worker", "run a Celery worker alone")
    parser.add_argument(
        "kind",
        nargs="?",
        type=lambda kind: "summarize" if kind == "summarise" else kind,  # its spelling of before
        choices=("transcribe", "summarize", "all"),
        default="all",
        help="transcribe: Whisper; summarize: the model server; all: both in one process (default)",
    )
    parser.set_defaults(run=_worker)


def _add_keys(commands: Commands) -> None:
    parser = _command(commands, "keys", "manage API keys: add one, list them, remove one")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = _command(actions, "add", "make a key and print it, once")
    add.add_argument("name", help="a name to tell the key by")
    add.add_argument(
        "--scope",
        choices=("submit", "read", "admin"),
        required=True,
        help="submit: send jobs and read its own; read: read the jobs of another key (--for); admin: everything",
    )
    add.add_argument("--for", dest="reads_for", metavar="NAME", help="see this key's jobs instead of its own")
    add.set_defaults(action="add")
    _command(actions, "list", "list the names and scopes of all keys").set_defaults(action="list")
    remove = _command(actions, "remove", "remove a key, which is refused from now on")
    remove.add_argument("name", help="the key's name")
    remove.set_defaults(action="remove")
    parser.set_defaults(run=_keys)


def _add_doctor(commands: Commands) -> None:
    parser = _command(commands, "doctor", "check everything that a job needs, and say how to mend what fails")
    parser.add_argument("--json", action="store_true", help="the checks as JSON, for programs")
    parser.set_defaults(run=_doctor)


def _add_weights(commands: Commands) -> None:
    parser = _command(commands, "weights", "list the Whisper models, or fetch one")
    parser.add_argument(
        "action", nargs="?", choices=("list", "fetch"), default="list", help="list them (default), or fetch one"
    )
    parser.add_argument("name", nargs="?", help="the model to fetch (WHISPER_MODEL, default base)")
    parser.add_argument(
        "--format",
        choices=("ctranslate2", "openai"),
        help="ctranslate2: for faster-whisper; openai: for openai-whisper (default: what WHISPER_ENGINE wants)",
    )
    parser.set_defaults(run=_weights)


def _add_transcribe(commands: Commands) -> None:
    parser = _command(commands, "transcribe", "transcribe files, without any server")
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="any sound or video file, or a folder with some in it"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", type=Path, help="write there instead of printing; several files want a folder"
    )
    parser.add_argument("--language", help="what is spoken, such as en or French; detected when not given")
    parser.add_argument(
        "--track",
        type=_parsed_track,
        default="auto",
        help="the sound track: its number from 1, auto (the one that holds a voice, default), or mix (all)",
    )
    parser.add_argument(
        "--format",
        choices=("txt", "text", "srt", "vtt", "json"),
        help="what to make (default: as the name after -o ends, or txt); srt and vtt are subtitles",
    )
    parser.set_defaults(run=_transcribe)


def _parsed_track(text: str) -> str:
    try:
        return tracks.parse_track(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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
