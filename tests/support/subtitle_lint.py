"""Finds what nobody can read in subtitles, by the rules that broadcasters publish. Reads files as a player does."""

import unicodedata
from itertools import pairwise

import pysubs2

MAX_LINE, MAX_WIDE_LINE, MAX_LINES = 42, 16, 2
MIN_MS, MAX_MS, GAP_MS, MAX_CHARACTERS_PER_S = 1_000, 7_000, 80, 20


def violations(text: str, kind: str) -> list[str]:
    """List what breaks a rule in a file of the kind `srt` or `vtt`."""
    cues = pysubs2.SSAFile.from_string(text, format_=kind).events
    found = []
    for cue in cues:
        lines = cue.plaintext.split("\n")
        characters = len(" ".join(lines))
        found += [f"empty: {cue}"] * (not cue.plaintext.strip())
        found += [f"{len(lines)} lines: {cue}"] * (len(lines) > MAX_LINES)
        found += [f"line of {len(line)}: {line}" for line in lines if _too_long(line)]
        found += [f"shown for {cue.duration} ms: {cue}"] * (not MIN_MS <= cue.duration <= MAX_MS)
        found += [f"too fast: {cue}"] * (characters * 1000 > MAX_CHARACTERS_PER_S * cue.duration)
    found += [f"gap of {b.start - a.end} ms: {b}" for a, b in pairwise(cues) if b.start - a.end < GAP_MS]
    return found


def _too_long(line: str) -> bool:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    # A narrow character is half as wide as a wide one, or less.
    return len(line) > MAX_LINE or wide > MAX_WIDE_LINE
