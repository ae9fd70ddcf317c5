@echo off
rem The web service. start_celery.bat does the work, in a window of its own.
cd /d "%~dp0"
".venv\Scripts\python.exe" -m streametrics api %*
