@echo off
rem One worker for everything. Windows cannot fork, so tasks run one at a time in this process.
cd /d "%~dp0"
".venv\Scripts\python.exe" -m celery --app streametrics.celery_app worker --pool=solo --queues live,long,summarise --task-events --without-gossip --without-mingle --loglevel INFO
