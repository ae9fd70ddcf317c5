"""Answers status requests: a poll, a long poll."""
