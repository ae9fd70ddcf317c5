"""Joins chunks in the database named first, until it is killed; says with a line when it begins."""

import sys

from streametrics.database.engine import Database
from streametrics.database.stream_joining import StreamJoining
from streametrics.jobs.joining import Joining
from streametrics.settings import Settings

if __name__ == "__main__":
    joining = Joining(StreamJoining(Database(sys.argv[1])), Settings(_env_file=None))
    print("begins", flush=True)
    while True:
        joining.round()
