"""From one command to a running service: checks, processes, their supervisor, and what a person is told."""
