@echo off
rem script.bat freeze, script.bat thaw
setlocal
if not defined LOGDIR set "LOGDIR=D:\IrisBackup\log"
if not exist "%LOGDIR%" mkdir "%LOGDIR%"
if "%1"=="freeze" goto FREEZE
if "%1"=="thaw" goto THAW
exit /b

:FREEZE
irisdb -sC:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).ExternalFreeze("""%LOGDIR%\IRIS.log""",,,,,,600,,,300)
if %ERRORLEVEL%==5 exit /b 0
exit /b 1

:THAW
irisdb -sC:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).IsWDSuspendedExt()
if not %ERRORLEVEL%==5 set "FAILED=1"
irisdb -sC:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).ExternalThaw("""%LOGDIR%\IRIS.log""")
if not %ERRORLEVEL%==5 set "FAILED=1"
if defined FAILED exit /b 1
exit /b 0
