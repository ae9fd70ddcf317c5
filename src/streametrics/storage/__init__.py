"""Stores audio by key."""
