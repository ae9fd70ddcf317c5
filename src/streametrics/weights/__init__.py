"""Provides Whisper's weights: their names and hashes, download, conversion, cache."""
