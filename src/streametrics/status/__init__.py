"""Answers to those who ask after a job: a poll, a long poll."""
