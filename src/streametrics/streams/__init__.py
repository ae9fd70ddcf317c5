"""The rules of a stream: where its chunks lie, how much of it was heard, how its words are found. No I/O."""
