#!/bin/sh
# Starts an integrity check in the background: integrity.sh REPORT
report=${1:?usage: integrity.sh REPORT}
iris session "${IRIS_INSTANCE:-IRIS}" -U%SYS "##class(Backup.Check).Start(\"$report\")" </dev/null >/dev/null 2>&1 &
echo 'Integrity check launched.' >>"$report"
if grep -q 'Integrity check launched' "$report"; then
    echo 'the check is under way'
    exit 0
fi
exit 1
