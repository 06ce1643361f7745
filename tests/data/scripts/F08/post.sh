#!/bin/sh
# Thaws every running instance after the snapshot.
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}

running() {
    iris qlist | awk -F^ '$4 ~ /^running/ {print $1}'
}

suspended() {
    status=0
    iris session "$1" -U%SYS '##class(Backup.General).IsWDSuspendedExt()' </dev/null >/dev/null 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

thaw() {
    status=0
    iris session "$1" -U%SYS "##class(Backup.General).ExternalThaw(\"$LOGDIR/$1.log\")" \
        </dev/null >>"$LOGDIR/session.log" 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

failed=0
if [ -d "$LOGDIR" ]; then
    for instance in $(running); do
        if ! suspended "$instance"; then
            echo "$instance was not frozen any more: this backup is void" >&2
            failed=1
        fi
        if ! thaw "$instance"; then
            echo "$instance may still be FROZEN" >&2
            failed=1
        fi
    done
fi
exit "$failed"
