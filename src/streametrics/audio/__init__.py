"""Untrusted bytes to samples: sniffing, decoding in a sandbox, splitting."""
