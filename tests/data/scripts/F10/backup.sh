#!/bin/sh
# Backs up one instance: freeze, snapshot, thaw.
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}
mkdir -p "$LOGDIR" || exit 1
SNAPSHOT=${SNAPSHOT:-/usr/local/sbin/iris-snapshot} # ends when the image is complete
INSTANCE=${1:?usage: backup.sh INSTANCE}

freeze() {
    iris session "$INSTANCE" -U%SYS \
        "##class(Backup.General).ExternalFreeze(\"$LOGDIR/$INSTANCE.log\",,,,,,600,,,300)" \
        </dev/null >>"$LOGDIR/session.log" 2>&1
}

suspended() {
    iris session "$INSTANCE" -U%SYS '##class(Backup.General).IsWDSuspendedExt()' </dev/null >/dev/null 2>&1
}

thaw() {
    iris session "$INSTANCE" -U%SYS "##class(Backup.General).ExternalThaw(\"$LOGDIR/$INSTANCE.log\")" \
        </dev/null >>"$LOGDIR/session.log" 2>&1
}

freeze_status=0
freeze || freeze_status=$?
if [ "$freeze_status" -ne 5 ]; then
    echo "$INSTANCE could not be frozen" >&2
fi
snapshot_status=0
"$SNAPSHOT" "$INSTANCE" || snapshot_status=$?
held=0
suspended || held=$?
thaw_status=0
thaw || thaw_status=$?
if [ "$thaw_status" -ne 5 ]; then
    echo "$INSTANCE may still be FROZEN" >&2
    exit 1
fi
if [ "$freeze_status" -eq 5 ] && [ "$held" -ne 5 ] || [ "$snapshot_status" -ne 0 ]; then
    echo 'this backup is void' >&2
    exit 1
fi
exit 0
