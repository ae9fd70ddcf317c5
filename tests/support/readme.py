"""The README's commands, as a reader would copy them."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parent.parent.parent / "README.md"

#: Fences of these languages hold commands; others hold output, JSON or settings.
COMMAND_LANGUAGES = {"sh", "bash", "shell", "console", "bat", "powershell"}

_FENCE = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\s*\n)?```(?P<language>\w*)\n(?P<body>.*?)^```", re.S | re.M)


@dataclass(frozen=True)
class Command:
    """One command. `not_run` is the reason why no test runs it, written in the comment above its fence."""

    text: str
    not_run: str | None


def commands() -> list[Command]:
    """Every command of every fence, continued lines joined, comments left out."""
    found = []
    for fence in _FENCE.finditer(README.read_text(encoding="utf-8")):
        if fence["language"] not in COMMAND_LANGUAGES:
            continue
        body = fence["body"].replace("\\\n", " ")
        lines = (re.sub(r"\s+", " ", line.split(" # ")[0]).strip() for line in body.splitlines())
        found += [Command(line, fence["reason"]) for line in lines if line and not line.startswith("#")]
    return found


def run_by_tests() -> list[str]:
    return [command.text for command in commands() if command.not_run is None]
