"""Chat models, one file for each wire format."""
