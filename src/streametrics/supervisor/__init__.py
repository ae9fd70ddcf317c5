"""Starts and restarts the processes of a service that one command runs."""
