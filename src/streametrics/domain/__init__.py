"""The words of a job, its status and its transcript. No I/O, and no import of ours."""
