"""The chaos suite: kills, floods, cuts and forges against the real processes, with a figure for each promise."""
