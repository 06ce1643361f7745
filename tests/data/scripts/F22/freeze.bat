@echo off
rem Freezes one instance before the snapshot.
setlocal
if not defined LOGDIR set "LOGDIR=D:\IrisBackup\log"
if not exist "%LOGDIR%" mkdir "%LOGDIR%"
cd D:\InterSystems\IRIS\bin
irisdb -sD:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).ExternalFreeze("""%LOGDIR%\IRIS.log""",,,,,,600,,,300)
if errorlevel 6 goto FAIL
if errorlevel 5 goto DONE
goto FAIL
:DONE
exit /b 0
:FAIL
echo The instance could not be frozen. 1>&2
exit /b 1
