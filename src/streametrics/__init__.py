"""StreaMetrics API: a live stream's sound in, its text and a summary out."""

__version__ = "0.1.0"
