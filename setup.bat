@echo off
rem Sets everything up on Windows: .venv, the packages, the Whisper weights, .env.
setlocal
cd /d "%~dp0"
set "PYTHON=py -3"
where py >nul 2>nul || set "PYTHON=python"
%PYTHON% -c "import sys; sys.exit(sys.version_info < (3, 11))" || (
    echo Python 3.11 or newer is needed: https://www.python.org/downloads/
    exit /b 1
)
if not exist ".venv\Scripts\python.exe" %PYTHON% -m venv ".venv" || exit /b 1
".venv\Scripts\python.exe" -m pip install --disable-pip-version-check -r "requirements.txt" || exit /b 1
".venv\Scripts\python.exe" -m pip install --disable-pip-version-check --no-deps -e . || exit /b 1
if not exist ".env" copy ".env.example" ".env" >nul
".venv\Scripts\python.exe" -m streametrics weights fetch || exit /b 1
echo.
echo Done. Redis has to run (Docker or WSL; REDIS_URL in .env), then start start_api.bat and start_celery.bat.
