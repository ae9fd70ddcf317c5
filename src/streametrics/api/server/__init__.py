"""Runs the HTTP server: its protocol, its limits on slow clients, its start."""
