
# ---------------------------------------------------------------------------------------------------------------
# Thaw: every instance that the freeze froze, whatever happens to the others.

thaw_hook() {
    begin thaw
    trap : HUP INT TERM PIPE # a thaw is finished before anything else
    open_log || complain "$LOG_DIR cannot be written; the thaw goes on"
    [ -z "$CONFIGURATION_PROBLEM" ] || complain "$CONFIGURATION_PROBLEM; the thaw goes on"
    VERDICT=good STILL_FROZEN=no
    read_owner
    if [ -f "$STATE_DIR/refused.$PPID" ]; then
        rm -f "$STATE_DIR/refused.$PPID"
        if [ -n "$OWNER_ID" ] && [ "$OWNER_PARENT" != "$PPID" ]; then
            verdict mismatch "the freeze of this caller was refused; backup $OWNER_ID is not its, and was left alone"
            end_thaw
        fi
    fi
    if owner_is_at_work; then stop_freeze; fi
    if [ -n "$OWNER_ID" ] && [ "$OWNER_BOOT" != "$(boot_id)" ]; then
        rm -rf "$BACKUP"
        verdict mismatch "nothing is frozen: the machine has started again since the freeze of backup $OWNER_ID"
    elif [ -r "$BACKUP/instances" ]; then
        [ -e "$BACKUP/complete" ] || verdict other "the freeze of backup $OWNER_ID was not completed"
        thaw_all
    elif [ -n "$OWNER_ID" ]; then
        rm -rf "$BACKUP"
        verdict mismatch "nothing was frozen by backup $OWNER_ID"
    else
        thaw_without_state
    fi
    end_thaw
}

# The first thing that is wrong decides the exit status; all are told.
verdict() {
    [ "$VERDICT" != good ] || VERDICT=$1
    shift
    complain "$*"
}

end_thaw() {
    if [ "$STILL_FROZEN" = no ] && [ -n "$OWNER_ID" ] && [ "$VERDICT" != mismatch ]; then
        if [ "$VERDICT" = good ]; then
            # for the script that is run when the copy was verified
            mkdir -p "$STATE_DIR/thawed" 2>/dev/null
            cp "$BACKUP/instances" "$STATE_DIR/thawed/$OWNER_ID" 2>/dev/null ||
                complain "cannot write $STATE_DIR/thawed: the end of this backup cannot be recorded by iris-backup-done"
        fi
        rm -rf "$BACKUP" 2>/dev/null || complain "cannot remove $BACKUP"
    fi
    if [ "$VERDICT" = good ]; then
        note "thawed, and frozen up to then: backup $OWNER_ID"
        exit 0
    fi
    complain 'the snapshot is NOT good'
    status_for "$VERDICT"
}

# Its caller did not wait for it. It thaws what it has frozen.
stop_freeze() {
    verdict other "the freeze of backup $OWNER_ID is still at work; it is stopped"
    kill -TERM "$OWNER_PID" 2>/dev/null
    waited=0
    while owner_is_at_work && [ "$waited" -lt "$((ROLLBACK_TIME + KILL_AFTER + 4))" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    now
    STARTED=$((NOW - waited)) # the time was well spent; the rest is for what that one left
    if ! [ -d "$BACKUP" ]; then end_thaw; fi
}

thaw_all() {
    remaining=$(awk 'END { print NR }' "$BACKUP/instances")
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF LOG; do
        [ -n "$LOG" ] || continue
        share_time
        find_owner
        ask_before_thaw || continue
        thaw_one "$share" || not_thawed
        [ "$STILL_FROZEN" = yes ] || note "$NAME: thawed"
    done <<END
$(cat "$BACKUP/instances")
END
}

# Each instance gets its part of the time, so that one that hangs does not cost the others theirs.
share_time() {
    left
    share=$((LEFT / (remaining > 0 ? remaining : 1)))
    [ "$share" -ge 4 ] || share=4
    remaining=$((remaining - 1))
    now
    until=$((NOW + share))
}

# Asked BEFORE the thaw, for afterwards nobody can tell: an instance that runs already has thawed itself
# (WDSuspendLimit), or was thawed by somebody, while the snapshot was taken. Such a snapshot is not good.
ask_before_thaw() {
    ask "$((share / 2))"
    now
    share=$((until - NOW))
    case $SUSPENDED in
        no)
            if [ -e "$BACKUP/complete" ]; then
                verdict self-thaw "$NAME runs already: WDSuspendLimit ($WD_SUSPEND_LIMIT s) or somebody has thawed it"
            else
                note "$NAME: not frozen"
            fi
            return 1
            ;;
        yes)
            if [ -e "$BACKUP/complete" ]; then
                ! log_says_thawed || {
                    verdict self-thaw "$NAME was thawed and is frozen again, by somebody else; it is left alone"
                    return 1
                }
            elif ! log_says_frozen; then
                note "$NAME: the freeze in force there is not ours; it is left alone"
                return 1
            fi
            ;;
        unknown)
            if list_instances; then
                case $FOUND in
                    *"^$NAME^$DIRECTORY^$CPF^down"*)
                        verdict other "$NAME is down"
                        return 1
                        ;;
                esac
            fi
            # past ExternalFreezeTimeOut nobody can log in, but ExternalThaw needs no login
            verdict other "$NAME could not be asked whether it was frozen up to now; it is thawed all the same"
            ;;
    esac
    return 0
}

# What the log does not say, because it was moved away or cut, proves nothing.
log_says_thawed() {
    awk '/Backup\.General\.ExternalFreeze: Suspending system/ { thawed = 0 }
        /System resumed|WDSuspendLimit.*reached/ { thawed = 1 }
        END { exit !thawed }' "$LOG" 2>/dev/null
}

not_thawed() {
    if [ "$SUSPENDED" = yes ] || [ "$accepted" = no ]; then STILL_FROZEN=yes; fi
    verdict other "$NAME: the thaw is not confirmed"
}

# No state: there was no freeze, its hook failed, or the state is lost. A freeze of ours has left a log that does not
# end with a thaw, by which it is known; somebody else's is left alone. If the logs are lost as well, a production
# that stands still is worse than a backup that is lost.
thaw_without_state() {
    verdict mismatch 'nothing was frozen, as far as the state tells'
    list_instances || complain "cannot list instances: $LIST_PROBLEM"
    remaining=$(printf '%s' "$FOUND" | awk 'END { print NR }')
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF status; do
        case $status in running*) ;; *) continue ;; esac
        is_wanted "$NAME" || continue
        share_time
        find_owner
        ask "$((share / 2))"
        [ "$SUSPENDED" = yes ] || continue
        if find_open_log; then
            complain "$NAME is frozen, by a freeze of ours whose state is lost ($LOG); it is thawed"
        elif [ -r "$LOG_DIR" ] && [ -d "$STATE_DIR" ]; then
            complain "$NAME is frozen, but not by us; it is left alone"
            continue
        else
            complain "$NAME is frozen, and both logs and state are lost; it is thawed"
        fi
        thaw_one "$((share / 2))" || STILL_FROZEN=yes
    done <<END
$FOUND
END
}

# The newest freeze log of the instance, in LOG, if it does not end with a thaw.
find_open_log() {
    LOG=
    set +f
    for file in "$LOG_DIR"/freeze-*-"$(printf '%s' "$NAME" | sed 's/[^A-Za-z0-9._-]/_/g')".log; do
        [ -f "$file" ] && LOG=$file # in order of date, as their names are
    done
    set -f
    [ -n "$LOG" ] && log_says_frozen
}
