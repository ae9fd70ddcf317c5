"""What is looked at before anything starts: the settings, the bind, the port. Each refusal is a sentence."""

import difflib
import os
import socket
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streametrics.errors import StreametricsError, UnsafeSettings
from streametrics.net.addresses import is_loopback
from streametrics.settings import KEY_MIN_LENGTH, PUBLISHED_KEY, Settings


class InvalidSettings(StreametricsError):
    """A setting has a value that is not allowed."""

    code = "invalid_settings"


class PortTaken(StreametricsError):
    """The port is already in use."""

    code = "port_taken"


def load_settings() -> Settings:
    """The settings out of the environment and `.env`. Raises InvalidSettings with one line a mistake."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings("\n".join(_sentence(mistake) for mistake in error.errors())) from None


def _sentence(mistake: ErrorDetails) -> str:
    name = str(mistake["loc"][0]).upper() if mistake["loc"] else "A setting"
    secret = "KEY" in name or "URL" in name
    given = "its value" if secret else f"{mistake['input']!r}"
    field = Settings.model_fields.get(name.lower())
    default = f" (default: {field.default})" if field is not None and field.default != "" else ""
    return f"{name}: {given} is not allowed, {_wanted(mistake)} is{default}."


def _wanted(mistake: ErrorDetails) -> str:
    context = mistake.get("ctx", {})
    match mistake["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return "a whole number"
        case "float_parsing" | "float_type" | "finite_number":
            return "a number"
        case "literal_error":
            return f"one of {context['expected']}"
        case "greater_than":
            return f"a number above {context['gt']:g}"
        case "greater_than_equal":
            return f"a number of at least {context['ge']:g}"
        case "less_than_equal":
            return f"a number of at most {context['le']:g}"
        case _:
            return f"something else ({mistake['msg']})"


def refuse_open_bind(settings: Settings) -> None:
    """Raises UnsafeSettings where other machines could call and no long key stands in their way."""
    if is_loopback(settings.host) or len(settings.internal_api_key) >= KEY_MIN_LENGTH:
        return
    state = "too short" if settings.internal_api_key else "the published one" if _published_key_is_set() else "not set"
    raise UnsafeSettings(
        f"HOST={settings.host} lets other machines in, and INTERNAL_API_KEY is {state}: set one of {KEY_MIN_LENGTH} "
        "characters or more in .env, or HOST=127.0.0.1."
    )


def _published_key_is_set() -> bool:
    return os.environ.get("INTERNAL_API_KEY", dotenv_values(".env").get("INTERNAL_API_KEY")) == PUBLISHED_KEY


def settings_warnings() -> list[str]:
    """What is allowed and probably not meant: the published key, and names in `.env` that nothing reads."""
    written = {name.upper(): value or "" for name, value in dotenv_values(".env").items()}
    warnings = []
    if _published_key_is_set():
        warnings.append(
            f"INTERNAL_API_KEY={PUBLISHED_KEY} was printed in the first version's documentation, so "
            "everybody knows it; it counts as not set. Choose another one."
        )
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(written.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            warnings.append(f"{name} in .env is not a setting of StreaMetrics. Is {near[0]} meant?")
    return warnings


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises PortTaken where the host is no address of ours."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise PortTaken(f"HOST={host} is not an address of this machine.") from error
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will, after a restart
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError as error:
            raise PortTaken(f"PORT={port} may not be used by this account: choose one above 1023.") from error
        except OSError:
            return False
    return True


def require_free_port(settings: Settings) -> None:
    """Raises PortTaken with the way out."""
    if port_is_free(settings.host, settings.port):
        return
    airplay = " (on a Mac, AirPlay Receiver uses 5000)" if settings.port == 5000 else ""
    raise PortTaken(
        f"Port {settings.port} on {settings.host} is already in use{airplay}: stop what uses it, or choose "
        f"another with PORT={settings.port + 1} in .env or './start.sh --port {settings.port + 1}'."
    )


def free_port(host: str) -> int:
    """A port that nothing listens on now, for PORT=0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def local_url(settings: Settings) -> str:
    """Where this machine reaches the API, without a slash at the end."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def display(path: Path) -> str:
    """A path as short as it can be said: from the working folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
