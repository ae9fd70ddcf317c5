"""Defines the routes, one file for each subject."""
