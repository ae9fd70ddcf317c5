"""What outlives a process: the rows of jobs and their parts, and the audio until it is transcribed."""
