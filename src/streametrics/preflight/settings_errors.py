"""Loads the settings; each mistake in them is one sentence."""

from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streametrics.errors import StreametricsError
from streametrics.settings import Settings


class InvalidSettings(StreametricsError):
    """A setting has a value that is not allowed."""

    code = "invalid_settings"


def load_settings() -> Settings:
    """Load the settings from the environment and `.env`. Raises InvalidSettings with one line a mistake."""
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


def display(path: Path) -> str:
    """Shorten a path for display: relative to the working folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
