"""Installs everything into .venv with uv, then becomes the command after `--then`. Standard library only.

A stamp in .venv says what was installed, so a second run costs a few hundredths of a second and no network. A
marker beside it says that an installation is going on; one that is found at the start was interrupted.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMP = VENV / "streametrics-installed.json"
MARKER = VENV / "streametrics-installing"
LOG = VENV / "install.log"

UV_PIN = "uv>=0.9,<1"
#: Torch without CUDA's libraries: a fifth of the download. Another address can be set, or none (empty).
TORCH_CPU_INDEX = os.environ.get("TORCH_CPU_INDEX", "https://download.pytorch.org/whl/cpu")
TORCH_CPU_PROBE_S = 3.0
LOG_TAIL_LINES = 15

sys.path.insert(0, str(Path(__file__).resolve().parent))
from uv_environment import uv_environment  # noqa: E402 - `python -I` leaves the script's folder off the path
from uv_progress import Progress  # noqa: E402


class InstallFailed(Exception):
    """The installation could not be finished."""


def say(line: str) -> None:
    print(line, flush=True)


def has_nvidia_gpu() -> bool:
    return (
        Path("/proc/driver/nvidia/version").exists()
        or Path("/dev/nvidia0").exists()
        or shutil.which("nvidia-smi") is not None
    )


def wanted_stamp(dev: bool) -> dict[str, Any]:
    """What an installation made now would be. The folder counts: an editable installation names it."""
    files = ["requirements.txt", "pyproject.toml", *(["requirements-dev.txt"] if dev else [])]
    return {
        "files": {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in files},
        "python": platform.python_version().rsplit(".", 1)[0],
        "machine": platform.machine(),
        "folder": str(ROOT),
        "nvidia_gpu": has_nvidia_gpu(),
    }


def is_installed(wanted: dict[str, Any]) -> bool:
    """Whether the stamp covers what is wanted; one made with the development tools covers the rest too."""
    try:
        found = json.loads(STAMP.read_text())
        files = {name: found["files"].get(name) for name in wanted["files"]}
        return bool({**found, "files": files} == wanted)
    except (OSError, ValueError, KeyError, AttributeError):
        return False


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Two terminals may start at once: the second waits, then finds the work done."""
    try:
        import fcntl
    except ImportError:  # Windows installs with setup.bat
        yield
        return
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another installation is going on in this folder; waiting for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def make_environment() -> None:
    """A .venv with a working pip, and the marker in it. An interrupted installation is not trusted."""
    usable = (
        PYTHON.exists()
        and not MARKER.exists()
        and subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True).returncode == 0
    )
    if not usable:
        say("Making the Python environment .venv")
        VENV.mkdir(exist_ok=True)
        MARKER.touch()
        finished = subprocess.run(
            [sys.executable, "-I", "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True
        )
        if finished.returncode != 0:
            raise InstallFailed((finished.stdout + finished.stderr).strip())
    MARKER.touch()
    STAMP.unlink(missing_ok=True)


def run_logged(command: list[str | Path], env: dict[str, str], progress: Progress) -> int:
    """Run, log every line, show what is being downloaded; returns the exit code."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(map(str, command))}\n")
        with subprocess.Popen(
            command,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    progress.read(line)
            except BaseException:
                process.terminate()  # a signal to us alone: uv may not go on behind our back
                raise
        return process.returncode


def install_uv(env: dict[str, str]) -> None:
    if UV.exists() and subprocess.run([UV, "--version"], capture_output=True).returncode == 0:
        return
    command: list[str | Path] = [
        PYTHON,
        "-I",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        UV_PIN,
    ]
    if run_logged(command, env, Progress("uv, which installs the rest")) != 0:
        raise InstallFailed("The package index could not be reached, or does not have 'uv', the installer.")


def answers(url: str, within_s: float) -> bool:
    """Whether the address answers in time; in a thread, because looking up a name has no time limit."""
    answered = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=within_s):  # noqa: S310 - https, or what the user set
                answered.set()
        except (OSError, ValueError):
            return

    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(within_s)


def installed_torch() -> str | None:
    found = next(iter(VENV.glob("lib/python*/site-packages/torch-*.dist-info")), None)
    return found.name.removeprefix("torch-").removesuffix(".dist-info") if found else None


def torch_requirement() -> str:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return next(line.split("#")[0].split(";")[0].strip() for line in lines if line.startswith("torch"))


def install_cpu_torch(env: dict[str, str]) -> None:
    """Torch alone, from the index of its CPU builds, where that answers; else the default comes later."""
    index = TORCH_CPU_INDEX.rstrip("/")
    if not index or installed_torch() or env.get("UV_TORCH_BACKEND"):
        return
    if not answers(f"{index}/torch/", TORCH_CPU_PROBE_S):
        print(
            "The index of torch's CPU builds does not answer; the default build (larger) is taken.",
            flush=True,
        )
        return
    # No other index and no dependencies here, so nothing but torch can come from it.
    others = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
    only_this = {name: value for name, value in env.items() if name not in others}
    command: list[str | Path] = [UV, "pip", "install", "--python", PYTHON, "--no-deps"]
    command += ["--default-index", index, torch_requirement()]
    if run_logged(command, only_this, Progress("torch for the CPU")) != 0:
        say("The index of torch's CPU builds broke off; the default build (larger) is taken.")


def install_packages(env: dict[str, str], dev: bool) -> None:
    command: list[str | Path] = [UV, "pip", "install", "--python", PYTHON, "-r", "requirements.txt"]
    if dev:
        command += ["-r", "requirements-dev.txt"]
    gpu = has_nvidia_gpu()
    if not gpu and sys.platform == "linux":
        # openai-whisper asks for triton on every Linux; it is a compiler for NVIDIA GPUs and weighs 0.2 GB.
        override = VENV / "no-triton.txt"
        override.write_text('triton ; python_version < "0"\n')
        command += ["--override", override]
    if gpu and "+cpu" in (installed_torch() or ""):
        command += ["--reinstall-package", "torch"]
    progress = Progress("the Python packages")
    status = run_logged(command, env, progress)
    if status != 0 and "certificate" in tail().lower():
        env["UV_SYSTEM_CERTS"] = env["UV_NATIVE_TLS"] = "true"  # a company's own certificate authority
        status = run_logged(command, env, progress)
    if status != 0:
        raise InstallFailed("The Python packages could not be installed.")
    itself: list[str | Path] = [UV, "pip", "install", "--python", PYTHON, "--no-deps", "-e", "."]
    if run_logged(itself, env, Progress()) != 0:
        raise InstallFailed("StreaMetrics itself could not be installed.")
    progress.done()


def tail() -> str:
    with contextlib.suppress(OSError):
        return "\n".join(LOG.read_text(encoding="utf-8").splitlines()[-LOG_TAIL_LINES:])
    return ""


def install(dev: bool) -> None:
    wanted = wanted_stamp(dev)
    if is_installed(wanted):
        return
    with only_one():
        if is_installed(wanted):  # by the one we waited for
            return
        make_environment()
        LOG.unlink(missing_ok=True)
        env = uv_environment(PYTHON, VENV)
        os.environ.update(env)  # the look at torch's index goes the same way
        install_uv(env)
        if sys.platform == "linux" and not has_nvidia_gpu():
            install_cpu_torch(env)
        install_packages(env, dev)
        version = subprocess.run(
            [PYTHON, "-I", "-S", "-c", 'import sys; print("%d.%d" % sys.version_info[:2])'],
            capture_output=True,
            text=True,
            check=True,
        )
        partial = STAMP.with_suffix(".new")
        partial.write_text(json.dumps({**wanted, "python": version.stdout.strip()}))
        partial.replace(STAMP)
        MARKER.unlink(missing_ok=True)


def stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs StreaMetrics into .venv.")
    parser.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    parser.add_argument("--then", nargs=argparse.REMAINDER, help="a command to become afterwards")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        install(options.dev)
    except KeyboardInterrupt:
        print("\nStopped during the installation; the next start takes it up again.", file=sys.stderr)
        return 130
    except (InstallFailed, OSError) as error:
        print(f"{error}\nThe end of {LOG}:\n{tail()}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if options.then:
        os.execv(options.then[0], options.then)  # noqa: S606 - our own scripts' command
    return 0


if __name__ == "__main__":
    sys.exit(main())
