"""Runs the two stages of a job, transcription and summary, without a framework."""
