"""Verifies weights on disk once, and records it beside them in `verified.json`.

The record holds size, time and SHA-256 of every checked file.
"""

import json
import logging
from pathlib import Path
from typing import Any, Literal

from streametrics.weights.catalog import KnownModel
from streametrics.weights.download import file_hash

log = logging.getLogger(__name__)

Format = Literal["ctranslate2", "openai"]

RECORD_NAME = "verified.json"
#: What faster-whisper reads; without tokenizer.json it would go to the network for it.
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
KNOWN_FILES = (*REQUIRED_FILES, *VOCABULARIES, "preprocessor_config.json")


def files_of(target: Path) -> list[Path]:
    if target.is_dir():
        return sorted(file for file in target.iterdir() if file.name in KNOWN_FILES)
    return [target] if target.is_file() else []


def record_file(target: Path) -> Path:
    return target / RECORD_NAME if target.is_dir() else target.with_name(f"{target.name}.{RECORD_NAME}")


def record_verification(target: Path, source: str) -> None:
    """Record what was checked. Written under another name first: a torn record would count as a damaged file."""
    files = {
        file.name: {"size": file.stat().st_size, "mtime_ns": file.stat().st_mtime_ns, "sha256": file_hash(file)}
        for file in files_of(target)
    }
    record = record_file(target)
    partial = record.with_name(record.name + ".partial")
    partial.write_text(json.dumps({"source": source, "files": files}, indent=2))
    partial.replace(record)


def _read_record(target: Path) -> dict[str, Any]:
    try:
        content = json.loads(record_file(target).read_text())
        return dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError):  # missing, torn or of another layout: as if it were not there
        return {}


def is_verified(target: Path) -> bool:
    """Tell whether the files are those of the record, by size and time of change; the weights are not read again."""
    noted = _read_record(target)
    if not noted:
        return False
    folder = target if target.is_dir() else target.parent
    for name, entry in noted.items():
        try:
            status = (folder / name).stat()
        except OSError:
            return False
        if (status.st_size, status.st_mtime_ns) != (entry["size"], entry["mtime_ns"]):
            return False
    return True


def is_intact(target: Path) -> bool:
    """Tell whether the files are those of the record, byte for byte."""
    if not is_verified(target):
        return False
    folder = target if target.is_dir() else target.parent
    try:
        return all(file_hash(folder / name) == entry["sha256"] for name, entry in _read_record(target).items())
    except OSError as error:  # a disk may fail to read what it holds
        log.warning("the Whisper weights in %s cannot be read: %s", target, error)
        return False


def verify_again(target: Path, known: KnownModel, format: Format) -> bool:
    """Read files whose record is missing or does not fit (copied by hand, or damaged); True if they are right."""
    if not target.exists():
        return False
    expected = {name: entry["sha256"] for name, entry in _read_record(target).items()}
    expected |= known.ctranslate2_sha256 if format == "ctranslate2" else {}
    if format == "openai" and not expected:
        expected = {target.name: known.openai_sha256}
    folder = target if target.is_dir() else target.parent
    try:
        right = bool(expected) and all(
            (folder / name).is_file() and file_hash(folder / name) == digest for name, digest in expected.items()
        )
    except OSError:
        right = False
    if right:
        record_verification(target, "checked again")
    else:
        log.warning("the Whisper weights in %s are damaged or unknown: fetching them again", target)
    return right
