"""What the package says of itself is complete, and its command is there."""

import tomllib
from fnmatch import fnmatchcase
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from streametrics import __version__

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SOURCE = ROOT / "src" / "streametrics"
#: What only those need who write a migration.
NOT_INSTALLED = {"database/migrations/script.py.mako"}


def test_the_command_is_the_one_of_python_m(capsys: pytest.CaptureFixture[str]) -> None:
    # Given what an installation makes the command `streametrics` of
    main = EntryPoint("streametrics", PROJECT["scripts"]["streametrics"], "console_scripts").load()
    # When it is asked for its version
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    # Expect ours, and the end of a command that went well
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_the_version_is_said_once() -> None:
    assert PROJECT["version"] == __version__


def test_the_license_is_the_one_that_lies_here() -> None:
    assert PROJECT["license"] == "MIT"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")


def test_the_readme_is_the_description() -> None:
    assert (ROOT / PROJECT["readme"]).is_file()


def test_the_changelog_has_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "\n## [Unreleased]\n" in changelog
    assert f"\n## [{__version__}] - " in changelog


def test_an_installation_has_every_file() -> None:
    # Given the files that are in no package, or no Python
    files = {path for path in SOURCE.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".pyo")}
    data = {path for path in files if path.suffix != ".py" or not (path.parent / "__init__.py").exists()}
    names = {path.relative_to(SOURCE).as_posix() for path in data} - NOT_INSTALLED
    assert "database/migrations/versions/0001_jobs.py" in names
    # Expect each to be named as package data
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["streametrics"]
    assert {name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)} == set()
