@echo off
rem Thaws one instance after the snapshot.
setlocal
if not defined LOGDIR set "LOGDIR=D:\IrisBackup\log"
if not exist "%LOGDIR%" mkdir "%LOGDIR%"
set "FAILED=0"
irisdb -sC:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).IsWDSuspendedExt()
if not %ERRORLEVEL%==5 set "FAILED=1"
irisdb -sC:\InterSystems\IRIS\mgr -U%%SYS ##Class(Backup.General).ExternalThaw("""%LOGDIR%\IRIS.log""")
if not %ERRORLEVEL%==5 set "FAILED=1"
if %FAILED%==1 echo The backup is void, or the instance may still be FROZEN. 1>&2
exit /b %FAILED%
