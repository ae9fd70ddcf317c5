"""Receives an upload: admission, the form, its fields."""
