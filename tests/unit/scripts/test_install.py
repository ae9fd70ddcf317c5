"""The installation's own decisions: a newcomer's pip settings, the stamp, what is said meanwhile."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import install  # noqa: E402
import uv_environment  # noqa: E402
import uv_progress  # noqa: E402


def test_pip_settings_are_read_the_stronger_section_winning() -> None:
    # Given what `pip config list` prints
    listing = """:env:.index-url='https://env.example/simple'
global.cert='/etc/ca.pem'
global.index-url='https://global.example/simple'
install.trusted-host='one two'
"""
    # When it is read
    found = uv_environment.parse_pip_config(listing)
    # Expect the variable to win over the file
    assert found == {
        "cert": "/etc/ca.pem",
        "index-url": "https://env.example/simple",
        "trusted-host": "one two",
    }


def test_pip_settings_become_uvs() -> None:
    pip = {
        "index-url": "https://a.example/simple",
        "extra-index-url": "https://b.example/simple\nhttps://c.example/simple",
        "cert": "/etc/ca.pem",
        "proxy": "http://proxy.example:3128",
        "trusted-host": "a.example",
        "find-links": "/not/there https://wheels.example/",
        "timeout": "300",
    }
    assert uv_environment.translate(pip, {}) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "https://b.example/simple https://c.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "UV_INSECURE_HOST": "a.example",
        "UV_FIND_LINKS": "https://wheels.example/",
        "UV_HTTP_TIMEOUT": "300",
    }


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_index_stands(name: str) -> None:
    env = {name: "https://mine.example/simple"}
    assert "UV_DEFAULT_INDEX" not in uv_environment.translate({"index-url": "https://pip.example/simple"}, env)


def test_without_pip_settings_only_patience_is_added() -> None:
    assert uv_environment.translate({}, {}) == {"UV_HTTP_TIMEOUT": "120"}


def test_the_cache_moves_into_the_environment_where_there_is_no_home(tmp_path: Path) -> None:
    # Given a home that cannot be made, because a file stands there
    (tmp_path / "home").write_text("")
    found = uv_environment.cache_settings({"HOME": str(tmp_path / "home")}, tmp_path)
    assert found == {"UV_CACHE_DIR": str(tmp_path / "uv-cache")}


def test_the_cache_of_the_same_disk_is_left_alone(tmp_path: Path) -> None:
    assert uv_environment.cache_settings({"HOME": str(tmp_path)}, tmp_path) == {}


def test_progress_counts_what_has_arrived(capsys: pytest.CaptureFixture[str]) -> None:
    # Given uv's lines
    progress = uv_progress.Progress("the packages")
    for line in ("Downloading torch (1.5GiB)", "Downloading numpy (16.1MiB)", " Downloaded numpy", "nonsense"):
        progress.read(line + "\n")
    # Expect what is there, and what is waited for
    assert progress.text() == "16 of 1,552 MiB, waiting for torch"
    progress.read(" Downloaded torch\n")
    progress.read("Installed 2 packages in 3ms\n")
    progress.done()
    assert "2 packages, 1,552 MiB downloaded" in capsys.readouterr().out


def test_a_stamp_holds_until_a_requirement_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a finished installation with the development tools
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "STAMP", tmp_path / "stamp.json")
    assert not install.is_installed(install.wanted_stamp(False))
    install.STAMP.write_text(json.dumps(install.wanted_stamp(True)))
    # Expect it to serve with and without them
    assert install.is_installed(install.wanted_stamp(True))
    assert install.is_installed(install.wanted_stamp(False))
    # and no longer once a file has changed
    (tmp_path / "requirements.txt").write_text("more")
    assert not install.is_installed(install.wanted_stamp(False))


def test_the_tools_are_not_there_after_a_plain_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "STAMP", tmp_path / "stamp.json")
    install.STAMP.write_text(json.dumps(install.wanted_stamp(False)))
    assert not install.is_installed(install.wanted_stamp(True))


def test_an_index_that_does_not_answer_costs_no_more_than_its_time() -> None:
    # Given an address where nothing listens; expect no, at once or at the limit, and no error
    assert install.answers("http://127.0.0.1:9/torch/", 0.5) is False


def test_the_torch_requirement_is_found() -> None:
    assert install.torch_requirement().startswith("torch>=")


def run_install_sh(folder: Path, path: str) -> "subprocess.CompletedProcess[str]":
    (folder / "scripts").mkdir()
    script = folder / "scripts" / "install.sh"
    script.write_text((ROOT / "scripts" / "install.sh").read_text())
    return subprocess.run(["bash", str(script)], env={"PATH": path}, capture_output=True, text=True)


def fake_python(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what the script needs and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "sh"):
        (folder / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    return folder


def test_no_python_is_a_sentence(tmp_path: Path, tools: Path) -> None:
    finished = run_install_sh(tmp_path, str(tools))
    assert finished.returncode == 1
    assert "needs Python 3.11 or newer" in finished.stderr


def test_an_old_python_is_named(tmp_path: Path, tools: Path) -> None:
    # Given a Python 3.9, and a shim for a version that is not installed
    fake_python(tools, "python3", "echo 3.9\n")
    fake_python(tools, "python3.12", "exit 127\n")
    finished = run_install_sh(tmp_path, str(tools))
    assert finished.returncode == 1
    assert "python3 is Python 3.9" in finished.stderr


def test_a_python_without_ensurepip_names_the_package(tmp_path: Path, tools: Path) -> None:
    # Given Debian's Python without python3-venv
    fake_python(tools, "python3.11", 'case "$*" in *ensurepip*) exit 1;; *) echo 3.11;; esac\n')
    finished = run_install_sh(tmp_path, str(tools))
    assert finished.returncode == 1
    assert "sudo apt install python3.11-venv" in finished.stderr
