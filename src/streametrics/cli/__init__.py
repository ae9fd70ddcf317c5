"""The commands of `python -m streametrics`."""
