"""Nobody runs the .bat files here, so what they name is checked: modules, files, options, line ends."""

import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
NAMES = ["setup.bat", "start_api.bat", "start_celery.bat"]
QUEUES = {"live", "long", "summarise"}

#: A command of the environment's Python: `".venv\\Scripts\\python.exe" -m module arguments`.
COMMAND = re.compile(r'^".venv\\Scripts\\python\.exe" -m (\S+) ?(.*?)(?: \|\| exit /b 1)?$', re.MULTILINE)


def content(name: str) -> str:
    return (ROOT / name).read_bytes().decode("ascii").replace("\r\n", "\n")


def commands() -> list[tuple[str, str, list[str]]]:
    """(file, module, arguments) of every command of ours."""
    return [
        (name, module, arguments.replace("%*", "").split())
        for name in NAMES
        for module, arguments in COMMAND.findall(content(name))
    ]


@cache
def help_of(*command: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", *command, "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return finished.stdout


@pytest.mark.parametrize("name", NAMES)
def test_lines_end_as_windows_wants(name: str) -> None:
    data = (ROOT / name).read_bytes()
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")


def test_git_keeps_the_line_ends() -> None:
    assert "*.bat text eol=crlf" in (ROOT / ".gitattributes").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_it_works_in_a_folder_with_a_space(name: str) -> None:
    text = content(name)
    # Expect it to go to its own folder, quoted, and to quote every path of the environment
    assert 'cd /d "%~dp0"' in text
    assert len(re.findall(r"\.venv\\", text)) == len(re.findall(r'"\.venv\\[^"]*"', text))


def test_each_file_runs_something_of_ours() -> None:
    assert {name for name, _, _ in commands()} == set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module", "arguments"), commands())
def test_modules_files_and_options_exist(name: str, module: str, arguments: list[str]) -> None:
    assert importlib.util.find_spec(module) is not None
    words = [word.strip('"') for word in arguments]
    for word in words:
        if word.endswith(".txt"):
            assert (ROOT / word).is_file()
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    plain = [word for word in words if not word.startswith("-")]
    if module == "celery":
        assert importlib.util.find_spec(words[words.index("--app") + 1]) is not None
        known = help_of("celery") + help_of("celery", "worker")
        assert set(words[words.index("--queues") + 1].split(",")) == QUEUES
    else:
        known = help_of(module, plain[0])
    for option in options:
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known), option


def test_the_worker_takes_one_task_at_a_time_in_its_own_process() -> None:
    assert "--pool=solo" in content("start_celery.bat")


def test_setup_makes_the_settings_file_once() -> None:
    # Expect .env to be copied from a file that exists, and never over one that is there
    assert 'if not exist ".env" copy ".env.example" ".env"' in content("setup.bat")
    assert (ROOT / ".env.example").is_file()
