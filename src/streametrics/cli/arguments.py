"""Describes the command line: each command, and what can be said with it."""

import argparse
import sys
from pathlib import Path
from typing import TypeAlias

from streametrics import __version__
from streametrics.audio import tracks


def parser() -> argparse.ArgumentParser:
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
    _add_add(commands)
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
    parser.set_defaults(run="up")


def _add_api(commands: Commands) -> None:
    parser = _command(commands, "api", "run the HTTP API alone (start_api.bat)")
    parser.add_argument("--host", help="where the API listens (HOST, default 127.0.0.1)")
    parser.add_argument("--port", help="the API's port (PORT, default 5000)")
    parser.set_defaults(run="api")


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
    parser.set_defaults(run="worker")


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
    parser.set_defaults(run="keys")


def _add_doctor(commands: Commands) -> None:
    parser = _command(commands, "doctor", "check everything that a job needs, and say how to mend what fails")
    parser.add_argument("--json", action="store_true", help="the checks as JSON, for programs")
    parser.set_defaults(run="doctor")


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
    parser.set_defaults(run="weights")


def _add_transcribe(commands: Commands) -> None:
    parser = _command(commands, "transcribe", "transcribe files, without any server")
    _add_recordings(parser)
    parser.set_defaults(run="transcribe")


def _add_add(commands: Commands) -> None:
    parser = _command(commands, "add", "send files to the running service, and fetch their texts")
    _add_recordings(parser)
    parser.add_argument("--url", help="the service's address (default: PORT of the settings, on this machine)")
    parser.add_argument("--key", help="of the scope submit (default: STREAMETRICS_KEY, and here INTERNAL_API_KEY)")
    parser.add_argument("--get", choices=("transcript", "summary"), default="transcript", help="default: transcript")
    parser.add_argument("--summary", choices=("none", "short", "long"), help="default: by the recording's length")
    parser.add_argument("--summary-language", help="what the summary is written in (default: the spoken language)")
    parser.add_argument("--title", help="for spelling names")
    parser.add_argument("--streamer", help="who streams")
    parser.add_argument("--no-wait", action="store_true", help="print the jobs' ids and do not wait for their texts")
    parser.set_defaults(run="add")


def _add_recordings(parser: argparse.ArgumentParser) -> None:
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


def _parsed_track(text: str) -> str:
    try:
        return tracks.parse_track(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
