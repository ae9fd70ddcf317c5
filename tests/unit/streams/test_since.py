"""Since when a recap is asked for: every form that is offered, and nothing that only looks like one."""

import pytest

from streametrics.streams.since import Since, SinceKind, read_since


@pytest.mark.parametrize(
    ("text", "kind", "seconds"),
    [
        ("2026-11-30T19:05:00Z", SinceKind.INSTANT, 1_796_065_500.0),
        ("2026-11-30T20:05:00+01:00", SinceKind.INSTANT, 1_796_065_500.0),
        # As a browser leaves a plus that nobody escaped
        ("2026-11-30T20:05:00 01:00", SinceKind.INSTANT, 1_796_065_500.0),
        ("2026-11-30 19:05:00.250Z", SinceKind.INSTANT, 1_796_065_500.25),
        ("1796065500", SinceKind.INSTANT, 1_796_065_500.0),
        ("1796065500.5", SinceKind.INSTANT, 1_796_065_500.5),
        ("1796065500250", SinceKind.INSTANT, 1_796_065_500.25),
        ("01:02:03", SinceKind.OFFSET, 3723.0),
        ("100:00:00", SinceKind.OFFSET, 360_000.0),
        ("20m", SinceKind.AGO, 1200.0),
        (" 1h30M5s ", SinceKind.AGO, 5405.0),
        ("90s", SinceKind.AGO, 90.0),
        ("0m", SinceKind.AGO, 0.0),
    ],
)
def test_each_form_is_read(text: str, kind: SinceKind, seconds: float) -> None:
    assert read_since(text) == Since(kind, seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "20", "12345678", "-20m", "m", "20 m", "5m1h", "1:2:3", "01:60:00", "٢٠m"),
        # Without its zone an instant is any of 26
        *("2026-11-30", "2026-11-30T19:05:00", "2026-13-30T19:05:00Z", "2026-11-30T25:05:00Z", "NaN", "inf", "1e12"),
        *("0001-01-01T00:00:00+23:59", "\x00", "20m\n20m", "9" * 40, "1796065500Z"),
    ],
)
def test_what_is_none_is_not_guessed(text: str) -> None:
    assert read_since(text) is None
