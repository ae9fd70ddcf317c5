"""What is written down holds: the README's commands are run, and what it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import readme

ROOT = Path(__file__).parent.parent

#: How a command begins, the file that runs it, and words in that file which show that it does.
RUN_BY = {
    "git clone": ("tests/acceptance/test_start.py", '["git", "clone"'),
    "cd ": ("tests/acceptance/test_start.py", "cwd=folder"),
    "./start.sh --port": ("tests/acceptance/test_start.py", 'no_network, "--port"'),
    "./start.sh": ("tests/acceptance/test_start.py", '["./start.sh", *options]'),
    "./test.sh": (".ci/run", "./test.sh"),
    ".ci/run": (".ci/run", "#!/usr/bin/env bash"),
    # These two are run as they stand in the README.
    "curl ": ("tests/acceptance/test_start.py", 'startswith("curl ")'),
    ".venv/bin/python -m streametrics": ("tests/acceptance/test_commands.py", "readme.run_by_tests()"),
}

#: Everything that only Windows, Docker or a model's home can run.
MAY_STAY_UNRUN = re.compile(r"\.bat$|^docker |^ollama (pull|serve)|^copy |^wsl ")


def test_the_readme_has_commands() -> None:
    assert "./start.sh" in readme.run_by_tests()


def test_every_command_is_run_or_says_why_not() -> None:
    for command in readme.commands():
        if command.not_run is not None:
            assert MAY_STAY_UNRUN.search(command.text), f"{command.text} could be run"
            continue
        beginning = next((words for words in RUN_BY if command.text.startswith(words)), None)
        assert beginning is not None, f"nothing runs: {command.text}"
        file, proof = RUN_BY[beginning]
        assert proof in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_option_of_our_commands_exists() -> None:
    pattern = re.compile(r"(?:\./start\.sh|python -m streametrics)( keys \w+| \w+)?(.*)")
    for command in readme.run_by_tests():
        match = pattern.match(command.removeprefix(".venv/bin/"))
        if match is None:
            continue
        name = (match[1] or " up").split()
        finished = subprocess.run(
            [sys.executable, "-m", "streametrics", *name, "--help"], capture_output=True, text=True, check=True
        )
        for option in re.findall(r"--[\w-]+", match[2]):
            assert option in finished.stdout, command


DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_into_the_repository_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            linked = document.parent / target
            assert linked.exists(), target
            assert not _is_only_here(linked), f"{target} is not in the repository"


def _is_only_here(path: Path) -> bool:
    """Whether a file lies in this folder, and git leaves it out of a clone; no file does where there is no git."""
    checked = subprocess.run(["git", "check-ignore", "-q", str(path)], cwd=ROOT, check=False)
    return checked.returncode == 0


def test_every_setting_that_the_readme_names_exists() -> None:
    from streametrics.settings import Settings

    known = {name.upper() for name in Settings.model_fields}
    text = readme.README.read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", text))
    assert named - known - {"TORCH_CPU_INDEX"} == set()


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_source_file_that_is_named_exists(document: str) -> None:
    named = re.findall(r"`([a-z_0-9/]+\.py)`", (ROOT / document).read_text(encoding="utf-8"))
    assert named
    # Every room may have these.
    for name in {*named} - {"base.py", "factory.py"}:
        assert (ROOT / "src" / "streametrics" / name).exists() or (ROOT / name).exists(), name


def test_every_benchmark_that_keeps_a_result_is_in_their_index() -> None:
    index = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    keeping = [path.stem for path in (ROOT / "benchmarks").glob("*.py") if "report.write(" in path.read_text()]
    assert "live" in keeping
    assert [name for name in keeping if f"`python -m benchmarks.{name}`" not in index] == []
    results = (ROOT / "benchmarks" / "results").glob("*.md")
    assert [path.name for path in results if path.name not in index and not _is_only_here(path)] == []
