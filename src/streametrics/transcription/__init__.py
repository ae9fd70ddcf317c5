"""Turns samples into text: the contract, voice activity detection, batching and the engines."""
