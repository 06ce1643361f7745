CD D:\InterSystems\PAYROLL\mgr
..\bin\cache -s. -B -V -U%%SYS ##Class(Backup.General).ExternalFreeze()

if errorlevel 3 goto SECOND
if errorlevel 5 goto BROKEN
goto LEAVE

:SECOND
CD D:\InterSystems\WARDS\mgr
..\bin\cache -s. -B -V -U%%SYS ##Class(Backup.General).ExternalFreeze()

if errorlevel 3 goto GOOD
if errorlevel 5 goto BROKEN
goto LEAVE

:GOOD
exit 0

:BROKEN
echo NOT FROZEN
exit 1

:LEAVE
exit 1
