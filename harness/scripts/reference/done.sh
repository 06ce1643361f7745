
# ---------------------------------------------------------------------------------------------------------------
# Backup done: the copy is complete and was verified.

# done_hook [BACKUP]: of the backup that was thawed last, or of the one named.
# ExternalSetHistory tells IRIS of a successful backup, and IRIS purges journals after so many backups (2 unless
# BackupsBeforePurge says otherwise). Called at the thaw, before the copy is complete and known to be good, it
# takes away the journals without which the older, good backup cannot be rolled forward. So neither freeze nor thaw
# calls it.
done_hook() {
    begin backup-done
    trap : HUP INT PIPE
    open_log || complain "$LOG_DIR cannot be written"
    [ -z "$CONFIGURATION_PROBLEM" ] || fail other "$CONFIGURATION_PROBLEM"
    find_thawed "${1:-}" || fail other "no backup ${1:-} here that was thawed and is not yet recorded"
    note "backup $ID was verified"
    RESULT=good
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF LOG; do
        [ -n "$NAME" ] || continue
        find_owner
        session "$CALL_LIMIT" "##class(Backup.General).ExternalSetHistory(\"$LOG\",\"iris-backup $ID\")"
        if [ "$STATUS" -eq 5 ]; then
            note "$NAME: backup $ID is in its backup history"
        else
            complain "$NAME: ExternalSetHistory ended with $STATUS, not 5"
            RESULT=bad
        fi
    done <<END
$(cat "$STATE_DIR/thawed/$ID")
END
    [ "$RESULT" = good ] || fail other "backup $ID is not in the history of all its instances"
    forget_thawed
    exit 0
}

# Sets ID.
find_thawed() {
    ID=
    case $1 in
        */*) return 1 ;;
        ?*) [ ! -f "$STATE_DIR/thawed/$1" ] || ID=$1 ;;
        *)
            set +f
            for file in "$STATE_DIR"/thawed/*; do
                if [ -f "$file" ]; then ID=${file##*/}; fi # in order of date, as their names are
            done
            set -f
            ;;
    esac
    [ -n "$ID" ]
}

# This backup and the ones before it.
forget_thawed() {
    set +f
    for file in "$STATE_DIR"/thawed/*; do
        [ -f "$file" ] || continue
        rm -f "$file"
        [ "${file##*/}" != "$ID" ] || break
    done
    set -f
}
