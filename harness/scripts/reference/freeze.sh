
# ---------------------------------------------------------------------------------------------------------------
# Freeze: every instance or none.

freeze_hook() {
    begin freeze
    CLAIMED=no TRIED='' ANSWERED='' UNCERTAIN='' FREEZING='' DONE=no
    trap undo EXIT
    trap 'exit 1' HUP INT TERM # the trap on EXIT thaws what is frozen
    trap : PIPE                # whoever reads our output may go away
    prepare
    list_instances || fail not-ready "cannot list instances: $LIST_PROBLEM"
    choose
    claim
    each_chosen require_running_writes
    each_chosen freeze_one
    # asked at the end, when all are frozen: what counts is that all are at the same time
    each_chosen require_frozen
    : >"$BACKUP/complete" || fail other "cannot write $BACKUP/complete"
    DONE=yes
    note "frozen: $COUNT instance(s), backup $ID"
    exit 0
}

# A thaw must be possible and leave a trace, or nothing is frozen.
prepare() {
    open_log || fail other "$LOG_DIR cannot be written; nothing was frozen"
    [ -z "$CONFIGURATION_PROBLEM" ] || fail other "$CONFIGURATION_PROBLEM; nothing was frozen"
    [ "$HAVE_TIMEOUT" = yes ] || fail other 'no timeout -k here (coreutils, busybox); a session could hang forever'
    for folder in "$STATE_DIR" "$MARKER_DIR"; do
        mkdir -p "$folder" 2>/dev/null
        ( printf 'x\n' >"$folder/.writable" ) 2>/dev/null || fail other "$folder cannot be written; nothing was frozen"
        rm -f "$folder/.writable"
    done
    if [ -e "$CREDENTIALS" ]; then
        case $(ls -ldL "$CREDENTIALS") in
            -r??------*) ;;
            *) fail other "others may read $CREDENTIALS: chmod 0600 it; nothing was frozen" ;;
        esac
        [ -r "$CREDENTIALS" ] || fail other "$CREDENTIALS cannot be read; nothing was frozen"
    fi
}

# Which instances, in CHOSEN: lines CONTROL^NAME^DIRECTORY^CPF^LOG.
choose() {
    CHOSEN='' COUNT=0
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF status; do
        if [ -z "$NAME" ] || ! is_wanted "$NAME"; then continue; fi
        case $status in
            running*)
                COUNT=$((COUNT + 1))
                # a log of its own for each instance and backup: nothing is overwritten, no two share one
                file=freeze-$ID-$COUNT-$(printf '%s' "$NAME" | sed 's/[^A-Za-z0-9._-]/_/g').log
                CHOSEN=$CHOSEN$CONTROL^$NAME^$DIRECTORY^$CPF^$LOG_DIR/$file$NL
                ;;
            down*) note "$NAME: down, left out" ;;
            # sign-on inhibited: it is starting, stopping or in trouble, and its files may change at any time
            *) fail not-ready "$NAME is neither running nor down ($status); nothing was frozen" ;;
        esac
    done <<END
$FOUND
END
    while IFS= read -r wanted; do
        [ -n "$wanted" ] || continue
        printf '%s' "$FOUND" | awk -F '^' -v "name=$wanted" '
            toupper($2) == toupper(name) { found = 1 } END { exit !found }' ||
            fail not-ready "$wanted, which $CONFIGURATION names, is not an instance here; nothing was frozen"
    done <<END
$INSTANCES
END
    if [ "$COUNT" -eq 0 ]; then
        [ "$ALLOW_NONE" = yes ] || fail not-ready 'no instance is running, so nothing was frozen'
        note 'no instance is running; ALLOW_NONE=yes, so that is no failure'
        DONE=yes
        exit 0
    fi
}

# One backup at a time. mkdir makes a folder or fails, whoever else tries.
claim() {
    if ! mkdir "$BACKUP" 2>/dev/null; then
        [ -d "$BACKUP" ] || fail other "cannot make $BACKUP"
        read_owner
        if [ -z "$OWNER_ID" ]; then
            sleep 1 # between its mkdir and its owner file
            read_owner
        fi
        before=$OWNER_ID
        if is_in_use; then
            : >"$STATE_DIR/refused.$PPID" # for the thaw that the same caller may run all the same
            fail busy "backup ${before:-?} is not over ($IN_USE); it was left alone"
        fi
        note "backup ${before:-?} never came to its thaw, and nothing of it is frozen; going on"
        mv "$BACKUP" "$STATE_DIR/over.$ID" 2>/dev/null || fail busy 'another backup began at this moment'
        read -r moved _ <"$STATE_DIR/over.$ID/owner" || moved=$before
        if [ "$moved" != "$before" ]; then # another one was faster, and this was its claim
            mv "$STATE_DIR/over.$ID" "$BACKUP"
            fail busy 'another backup began at this moment'
        fi
        rm -rf "$STATE_DIR/over.$ID"
        mkdir "$BACKUP" 2>/dev/null || fail busy 'another backup began at this moment'
    fi
    CLAIMED=yes
    printf '%s\n' "$ID $$ $(began $$) $(boot_id) $PPID" >"$BACKUP/owner" || fail other "cannot write $BACKUP/owner"
    forget_refused
}

# Of this caller, and of callers that have ended.
forget_refused() {
    rm -f "$STATE_DIR/refused.$PPID"
    set +f
    for file in "$STATE_DIR"/refused.*; do
        [ ! -f "$file" ] || kill -0 "${file##*.}" 2>/dev/null || rm -f "$file"
    done
    set -f
}

is_in_use() {
    IN_USE='its freeze is at work'
    ! owner_is_at_work || return 0
    [ "$OWNER_BOOT" = "$(boot_id)" ] || return 1 # no freeze outlives its machine
    IN_USE=
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF LOG; do
        case $FOUND in *"^$NAME^$DIRECTORY^$CPF^running"*) ;; *) continue ;; esac
        find_owner
        ask 5
        if [ "$SUSPENDED" != no ]; then IN_USE="$NAME is frozen, or cannot be asked"; fi
    done <<END
$(cat "$BACKUP/instances" 2>/dev/null)
END
    [ -n "$IN_USE" ]
}

# each_chosen FUNCTION
each_chosen() {
    function=$1
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF LOG; do
        [ -n "$NAME" ] || continue
        find_owner
        left
        LIMIT=$((LEFT - ROLLBACK_TIME - KILL_AFTER))
        [ "$LIMIT" -ge 1 ] || fail other "$NAME: the $HOOK_LIMIT s of this hook are over"
        [ "$LIMIT" -le "$CALL_LIMIT" ] || LIMIT=$CALL_LIMIT
        "$function"
    done <<END
$CHOSEN
END
}

# Before anything is frozen: what is frozen already is somebody's backup. To freeze it again, or to thaw it later,
# would spoil that one.
require_running_writes() {
    ask "$LIMIT"
    case $SUSPENDED in
        yes) fail busy "$NAME is frozen already, by somebody else; nothing was frozen or thawed" ;;
        unknown) fail not-ready "$NAME could not be asked whether it is frozen; nothing was frozen" ;;
    esac
}

# ExternalFreeze(LogFile, Text, SwitchJournalFile, TimeOut, Hibernate, Verbose, ExternalFreezeTimeOut, Username,
# Password, WDSuspendLimit). Class reference, Backup.General:
#   SwitchJournalFile 1: a new journal file and a marker in it, where a journal restore begins. TimeOut, Hibernate
#     and Verbose are for clusters.
#   ExternalFreezeTimeOut: then IRIS blocks processes that update. It does NOT thaw.
#   WDSuspendLimit: then IRIS thaws by itself. Nothing else does if whoever called this script has died.
freeze_one() {
    ( : >>"$LOG" ) 2>/dev/null || fail other "$NAME: cannot make $LOG"
    # the log is written by the session, as the owner of the instance
    [ "$BECOME" = direct ] || chown "$OWNER_UID:$OWNER_GID" "$LOG" || fail other "$NAME: cannot give $LOG to $OWNER"
    { printf '%s\n' "$CONTROL^$NAME^$DIRECTORY^$CPF^$LOG" >>"$BACKUP/instances"; } 2>/dev/null ||
        fail other "cannot write $BACKUP/instances"
    TRIED=$TRIED$CONTROL^$NAME^$DIRECTORY^$CPF^$LOG$NL
    FREEZING=$NL$CONTROL^$NAME^$DIRECTORY^
    session "$LIMIT" "##class(Backup.General).ExternalFreeze(\"$LOG\",\"iris-backup $ID\",1,,,,\
$EXTERNAL_FREEZE_TIMEOUT,,,$WD_SUSPEND_LIMIT)"
    FREEZING=
    note "$NAME: ExternalFreeze ended with $STATUS, log $LOG"
    case $STATUS in
        5) ;;
        # the session is gone, but the instance may go on with what it was asked
        124 | 137 | 143) UNCERTAIN=$UNCERTAIN$NL$CONTROL^$NAME^$DIRECTORY^ ;;
    esac
    [ "$STATUS" -eq 5 ] || fail other "$NAME: not frozen: ExternalFreeze ended with $STATUS, not 5; see $LOG_DIR"
    ANSWERED=$ANSWERED$NL$CONTROL^$NAME^$DIRECTORY^
}

# The answer of ExternalFreeze is not enough, and a freeze without a marker is none: nobody could tell from where
# to roll journals forward. The offset is in the freeze log alone, not in messages.log, so it is kept apart.
require_frozen() {
    ask "$LIMIT"
    [ "$SUSPENDED" = yes ] || fail other "$NAME is not frozen, though ExternalFreeze ended with 5"
    marker=${LOG##*/}
    marker=$MARKER_DIR/marker${marker#freeze}
    marker=${marker%.log}.txt
    {
        printf 'instance: %s\ndirectory: %s\nmachine: %s\nbackup: %s\nfrozen: %s\n\n' \
            "$NAME" "$DIRECTORY" "$(uname -n)" "$ID" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" &&
            awk '{ sub(/\r$/, "") }
                /Backup\.General\.ExternalFreeze: Start a journal restore/ { print }
                begun { print; begun = 0; if ($0 ~ /^offset [0-9]+ of ./) marked = 1 }
                /^Journal marker set at/ { print; begun = 1 }
                END { exit !marked }' "$LOG"
    } 2>/dev/null >"$marker" || fail other "$NAME: no journal marker in $LOG, or $marker cannot be written"
    note "$NAME: frozen, marker in $marker"
}

# At every end of a freeze that did not come to its own: what it froze is thawed, nothing else.
undo() {
    trap - EXIT
    trap : HUP INT TERM PIPE
    end_child
    [ "$DONE" = no ] || exit 0
    STILL_FROZEN=no
    remaining=$(printf '%s' "$TRIED" | awk 'END { print NR }')
    while IFS='^' read -r CONTROL NAME DIRECTORY CPF LOG; do
        [ -n "$NAME" ] || continue
        left
        share=$((LEFT / remaining))
        remaining=$((remaining - 1))
        find_owner
        undo_one "$share" || STILL_FROZEN=yes
    done <<END
$TRIED
END
    # otherwise a thaw hook that comes next finds in the state what is left to do
    if [ "$CLAIMED" = yes ] && [ "$STILL_FROZEN" = no ] && [ -z "$UNCERTAIN" ]; then rm -rf "$BACKUP"; fi
    note "failed ($FAILURE)"
    status_for "$FAILURE"
}

# We were told to end while a session was at work. To kill it at once would leave open whether the freeze comes.
end_child() {
    [ -n "$CHILD" ] || return 0
    { sleep 4 && kill "$CHILD"; } >/dev/null 2>&1 3>&- &
    timer=$!
    await_child
    kill "$timer" 2>/dev/null
    [ -n "$FREEZING" ] || return 0
    case $STATUS in
        5) ANSWERED=$ANSWERED$FREEZING ;;
        124 | 137 | 143) UNCERTAIN=$UNCERTAIN$FREEZING ;;
    esac
}

undo_one() {
    now
    until=$((NOW + $1))
    part=$(($1 / 3))
    [ "$part" -ge 1 ] || part=1
    ask "$part"
    case $UNCERTAIN in
        *"$NL$CONTROL^$NAME^$DIRECTORY^"*)
            # A freeze that nobody waits for any more may still come. WDSuspendLimit ends one that comes later still.
            tries=$HOOK_LIMIT
            while [ "$SUSPENDED" = no ] && [ "$tries" -gt 0 ]; do
                sleep 1
                ask "$part"
                tries=$((tries - 1))
                now
                [ $((NOW + 2)) -lt "$until" ] || tries=0
            done
            ;;
    esac
    if [ "$SUSPENDED" = no ]; then
        note "$NAME: not frozen, nothing to undo"
        return 0
    fi
    case $ANSWERED in
        *"$NL$CONTROL^$NAME^$DIRECTORY^"*) ;;
        *)
            # The freeze failed, yet the instance is, or may be, frozen. Its log says whether that was us.
            if ! log_says_frozen; then
                note "$NAME: the freeze that may be in force there is not ours; it is left alone"
                return 0
            fi
            ;;
    esac
    if ! thaw_one "$((part * 2))"; then return 1; fi
    note "$NAME: thawed again"
}
