"""Languages, sentences and subtitles."""
