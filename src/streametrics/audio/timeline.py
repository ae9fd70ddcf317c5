"""Places decoded sound where a player plays it: gaps become silence, jumps are closed. No I/O, no heavy imports."""

#: A lag below this is jitter of the stamps, or one lost packet: seconds.
SHORTEST_GAP_S = 0.2
#: A longer gap is a damaged stamp, or a pause that nobody wants to hear: it is closed.
LONGEST_GAP_S = 600.0
#: Stamps that fall back by more than this between two frames have jumped; by less they overlap, or are inexact.
_JUMP_S = 1.0


class Timeline:
    """Says how much silence belongs before each frame of one track.

    max_silence_s: so much in all; further gaps are closed. `is_closed` tells that a gap or a jump was closed, so that
    later times are not those of a player; `is_rejoined` that the stamps began anew with a joined file.
    """

    def __init__(self, max_silence_s: float) -> None:
        self._silence_left_s = max_silence_s
        self._end_s = 0.0  # of what was placed
        self._shift_s = 0.0  # from stamps to places, by closed gaps and jumps
        self._lag_s = 0.0  # of the last frame
        self._begins_anew = self._is_padded = False
        self.is_closed = False
        self.is_rejoined = False

    def place(self, at_s: float | None, duration_s: float) -> float:
        """Place a frame; returns the seconds of silence before it. at_s: its stamp, None where it has none."""
        silence_s = 0.0
        if at_s is not None:
            silence_s = self._silence_before(at_s)
            self._end_s += silence_s
        self._end_s += duration_s
        return silence_s

    def pad(self, silence_s: float) -> None:
        """Account for silence that was added because no frame came, so that a gap is not filled twice."""
        self._end_s += silence_s
        self._lag_s -= silence_s
        self._is_padded |= silence_s > 0

    def begin_anew(self) -> None:
        """A joined file begins: its stamps go on from here, or begin anew."""
        self._begins_anew = True

    def _silence_before(self, at_s: float) -> float:
        lag_s = at_s - self._shift_s - self._end_s
        before_s, begins_anew = self._lag_s, self._begins_anew
        self._lag_s, self._begins_anew = 0.0, False
        if begins_anew and not -_JUMP_S < lag_s <= LONGEST_GAP_S:
            self._shift_s += lag_s
            self.is_rejoined = True
        elif lag_s > min(LONGEST_GAP_S, max(SHORTEST_GAP_S, self._silence_left_s)) or lag_s - before_s < -_JUMP_S:
            self._shift_s += lag_s
            self.is_closed = True
        elif lag_s >= SHORTEST_GAP_S:
            self._silence_left_s -= lag_s
            return lag_s
        else:
            self._lag_s = lag_s
            # It stands in the file so far behind other tracks that its place was given away as silent.
            self.is_closed |= self._is_padded and lag_s < -_JUMP_S
        return 0.0
