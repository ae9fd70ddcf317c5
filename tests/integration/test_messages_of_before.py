"""What a version before has queued is worked on by this one: messages have kept their names and their form."""

import contextlib
import uuid
from pathlib import Path

from celery import Celery

from streametrics.domain.job import JobKind, JobRequest, JobState
from streametrics.domain.transcript import Segment, Transcript
from streametrics.jobs.connections import Connections
from tests.support.media import plain_wav, tone
from tests.support.stack import stack, until

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
TRANSCRIPT = Transcript((Segment(0.0, 1.0, "word"),), "en")


def test_a_worker_takes_the_messages_of_the_version_before(tmp_path: Path) -> None:
    # Given a chunk and a transcript that wait, and nobody who would send their messages again
    with stack(tmp_path, RESEND_AFTER_S="3600") as service:
        with contextlib.closing(Connections(service.own_settings())) as held:
            chunk, transcribed = str(uuid.uuid4()), str(uuid.uuid4())
            sound = held.audio.writer()
            sound.write(plain_wav(tone(2.0, 16_000)))
            held.records.insert(
                chunk, REQUEST, owner="local", kind=JobKind.LIVE, audio_key=sound.commit(), container="wav"
            )
            held.records.insert_resummarize(transcribed, REQUEST, owner="local", transcript=TRANSCRIPT, warnings=())
            # And the messages as they were sent before: written out, so that no name here changes with the code's
            with Celery("of before", broker=service.redis_url) as sender:
                sender.send_task("streametrics.transcribe", args=[chunk], task_id=f"{chunk}.transcribe.0", queue="live")
                sender.send_task(
                    "streametrics.summarise",
                    args=[transcribed],
                    task_id=f"{transcribed}.summarize.0",
                    queue="summarise",
                )
                sender.send_task("streametrics.write_ahead", args=[chunk], task_id=f"{chunk}.ahead", queue="summarise")

            service.start_worker(name="all", queues="live,long,summarise", pool="solo")

            def are_done() -> bool:
                records = [held.records.get(task_id) for task_id in (chunk, transcribed)]
                return all(record is not None and record.state is JobState.DONE for record in records)

            until(are_done, within_s=30, what="both are done")
        assert "unregistered task" not in service.log()
