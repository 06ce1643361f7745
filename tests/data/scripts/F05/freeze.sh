#!/bin/sh
# Freezes one instance before the snapshot: freeze.sh NAME
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}
mkdir -p "$LOGDIR" || exit 1

iris session "$1" -U%SYS "##class(Backup.General).ExternalFreeze(\"$LOGDIR/$1.log\",,,,,,600,,,300)" \
    </dev/null >>"$LOGDIR/session.log" 2>&1
status=$?
echo "$(date -u +%FT%TZ) freeze of $1 ended with $status" >>"$LOGDIR/session.log"
exit "$status"
