"""The HTTP side, one file a resource; each has `router`."""
