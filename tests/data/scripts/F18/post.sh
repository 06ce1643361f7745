#!/bin/sh
# Thaws every running instance after the snapshot.
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}
mkdir -p "$LOGDIR" || exit 1

running() {
    iris qlist | awk -F^ '$4 ~ /^running/ {print $1}'
}

thaw() {
    status=0
    iris session "$1" -U%SYS "##class(Backup.General).ExternalThaw(\"$LOGDIR/$1.log\")" \
        </dev/null >>"$LOGDIR/session.log" 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

failed=0
for instance in $(running); do
    if ! thaw "$instance"; then
        echo "$instance may still be FROZEN" >&2
        failed=1
    fi
done
exit "$failed"
