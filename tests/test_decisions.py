"""Decision records have one form, and the index lists each of them as it is."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "decisions"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")

STATUS = re.compile(r"proposed|accepted|superseded by (?P<later>\d{4})")
#: These stand in each record, in this order; figures and what was not taken may stand between the last two.
REQUIRED = ["Context", "Decision", "Consequences"]
ALLOWED = ["Context", "Decision", "Measured", "Tried", "Consequences"]

_HEAD = re.compile(
    r"# (?P<number>\d{4})\. (?P<title>.+)\n\n- Status: (?P<status>.+)\n- Date: (?P<date>.+)\n\n## Context\n"
)
_ROW = re.compile(
    r"^\| (?P<number>\d{4}) \| \[(?P<title>.+)\]\((?P<file>.+)\) \| (?P<status>.+) \| (?P<date>.+) \|$", re.M
)


@dataclass(frozen=True)
class Record:
    number: str
    title: str
    file: str
    status: str
    date: str


def record(path: Path) -> Record:
    head = _HEAD.match(path.read_text(encoding="utf-8"))
    assert head is not None, f"{path.name} begins with '# NNNN. Title', its status, its date and its context"
    return Record(file=path.name, **head.groupdict())


def test_there_are_records() -> None:
    assert len(RECORDS) >= 26


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_the_form(path: Path) -> None:
    found = record(path)
    assert re.fullmatch(rf"{found.number}-[a-z0-9-]+\.md", path.name)
    assert date.fromisoformat(found.date) <= date.today()
    status = STATUS.fullmatch(found.status)
    assert status is not None, found.status
    if status["later"] is not None:
        assert status["later"] > found.number
        assert status["later"] in {each.name[:4] for each in RECORDS}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_its_sections_in_order(path: Path) -> None:
    sections = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.M)
    assert [name for name in sections if name in REQUIRED] == REQUIRED
    assert sections == [name for name in ALLOWED if name in sections]


def test_numbers_have_no_gap() -> None:
    numbers = [int(path.name[:4]) for path in RECORDS]
    assert numbers == list(range(1, len(RECORDS) + 1))


def test_the_index_lists_each_record_as_it_is() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = [Record(**row.groupdict()) for row in _ROW.finditer(index)]
    assert listed == [record(path) for path in RECORDS]
