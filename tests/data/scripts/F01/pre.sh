#!/bin/sh
# Freezes every running instance before the snapshot.
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}
mkdir -p "$LOGDIR" || exit 1

running() {
    iris qlist | awk -F^ '$4 ~ /^running/ {print $1}'
}

freeze() {
    iris session "$1" -U%SYS \
        "##class(Backup.General).ExternalFreeze(\"$LOGDIR/$1.log\",,,,,,600,,,300)" \
        </dev/null 2>&1 | tee -a "$LOGDIR/session.log"
    status=$?
    case $status in
        5) echo "$1 is frozen" ;;
        3) return 1 ;;
    esac
}

thaw() {
    status=0
    iris session "$1" -U%SYS "##class(Backup.General).ExternalThaw(\"$LOGDIR/$1.log\")" \
        </dev/null >>"$LOGDIR/session.log" 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

frozen=
for instance in $(running); do
    if freeze "$instance"; then
        frozen="$frozen $instance"
    else
        echo "$instance could not be frozen" >&2
        for one in $frozen; do
            thaw "$one" || echo "$one may still be FROZEN" >&2
        done
        exit 1
    fi
done
if [ -z "$frozen" ]; then
    echo 'no running instance' >&2
    exit 1
fi
exit 0
