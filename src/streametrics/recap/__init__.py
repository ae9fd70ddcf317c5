"""Finds where a stream's chapters end, and picks what its recaps say. No model, no database."""
