"""Makes a streamer's key: the name in one form, however it is written, and the form of it that an address can hold."""

import hashlib
import re
import unicodedata

#: What an address takes for an end of its path, and our own sign for such.
_RESERVED = re.compile(r"[/?#~\\%\x00-\x20\x7f]|^\.{1,2}$")
#: A longer key ends in a hash of the name instead, in characters: one of a name's is up to 18 in NFKC, and an index of
#: PostgreSQL takes 2,700 bytes.
MAX_KEY, _KEPT, _HASH = 500, 480, 16
_ESCAPED = re.compile(r"~([0-9A-Fa-f]{2})")


def streamer_key(name: str) -> str:
    """Make the form of a name that is the same however it is written: NFKC, casefolded, with `/` as `~2F`."""
    folded = _folded(name)
    if len(folded) > MAX_KEY:
        digest = hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()
        folded = f"{folded[:_KEPT]}-{digest[:_HASH]}"
    return _RESERVED.sub(_escape, folded)


def key_in_path(segment: str) -> str:
    """Read a path's segment: a key, or the plain name."""
    return streamer_key(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment))


def _folded(name: str) -> str:
    """Fold a name. Casefolding makes letters that NFKC changes, and the other way round."""
    folded = name
    for _ in range(3):
        folded = unicodedata.normalize("NFKC", folded.strip()).casefold()
    return folded.strip()


def _escape(found: re.Match[str]) -> str:
    return "".join(f"~{ord(char):02X}" for char in found[0])
