"""Summaries, written by a chat model or taken out of the transcript."""
