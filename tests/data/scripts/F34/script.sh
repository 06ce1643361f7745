#!/bin/sh
# script.sh freeze, script.sh thaw
LOGDIR=${IRIS_BACKUP_LOG:-/var/log/iris-backup}
mkdir -p "$LOGDIR" || exit 1

running() {
    iris qlist | awk -F^ '$4 ~ /^running/ {print $1}'
}

suspended() {
    status=0
    iris session "$1" -U%SYS '##class(Backup.General).IsWDSuspendedExt()' </dev/null >/dev/null 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

freeze() {
    status=0
    iris session "$1" -U%SYS \
        "##class(Backup.General).ExternalFreeze(\"$LOGDIR/$1.log\",,,,,,600,,,300)" \
        </dev/null >>"$LOGDIR/session.log" 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

thaw() {
    status=0
    iris session "$1" -U%SYS "##class(Backup.General).ExternalThaw(\"$LOGDIR/$1.log\")" \
        </dev/null >>"$LOGDIR/session.log" 2>&1 || status=$?
    [ "$status" -eq 5 ]
}

freeze_all() {
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
}

thaw_all() {
    failed=0
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
    exit "$failed"
}

case ${1-} in
    freeze) freeze_all ;;
    thaw | freezeFail) thaw_all ;;
esac
