"""Addresses, and an HTTP client that reaches public ones only."""
