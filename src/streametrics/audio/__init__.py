"""Sound on its way to Whisper: told by its first bytes, decoded apart, cut into parts, searched for voices."""
