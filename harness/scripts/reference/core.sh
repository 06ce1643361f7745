# shellcheck disable=SC2034,SC2317 # freeze and thaw have one set of functions; some are called by name, or by a trap

# ---------------------------------------------------------------------------------------------------------------
# Settings. Each can be set in /etc/iris-backup.conf by a line KEY=value. That file is read, not run.

INSTANCES=                        # keys INSTANCE=NAME, one for each to back up; none: every instance that runs
ALLOW_NONE=no                     # yes: that no instance runs is no failure (nothing is frozen then)
EXTRA_PATH=                       # a folder with iris, ccontrol or csession, if they are not in /usr/bin or so
LOG_DIR=/var/log/iris-backup      # what the hooks did, and a freeze log for each instance and backup
STATE_DIR=/var/lib/iris-backup    # which instances the backup of this moment has frozen
MARKER_DIR=/var/lib/iris-backup/markers # where a journal restore begins, a file for each instance and backup
CREDENTIALS=/etc/iris-backup.credentials # if it exists: a line for the user, a line for the password; mode 0600
EXTERNAL_FREEZE_TIMEOUT=600       # seconds until processes that update are blocked; IRIS takes 1200 at most
WD_SUSPEND_LIMIT=300              # seconds until the instance thaws by itself
HOOK_LIMIT=28                     # seconds for a whole hook; callers often give up after 30
CALL_LIMIT=20                     # seconds for one session
KILL_AFTER=2                      # seconds from SIGTERM to SIGKILL for a session that went past its limit
ROLLBACK_TIME=6                   # seconds of HOOK_LIMIT that a freeze keeps to undo itself

# ---------------------------------------------------------------------------------------------------------------
# The process. Nothing is taken from the caller: cron, VMware Tools and cloud agents give hardly any environment,
# no terminal, and sometimes closed descriptors.

set -u
set -f # no name is ever meant as a pattern
PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
umask 077
unset IFS
NL='
'
CONFIGURATION=${IRIS_BACKUP_CONF:-/etc/iris-backup.conf}
exec </dev/null
{ true >&1; } 2>/dev/null || exec >/dev/null
{ true >&2; } 2>/dev/null || exec 2>/dev/null
exec 3>&2 # the log of the hooks, from open_log on a file
LOG_IS_FILE=no
SYSLOG=no
HOOK=iris-backup
CHILD=
FAILURE=other

# Seconds on a clock that nobody sets, in NOW.
now() {
    if { read -r NOW _ </proc/uptime; } 2>/dev/null; then NOW=${NOW%%.*}; else NOW=$(date +%s); fi
}

# Seconds that are left for the hook, in LEFT.
left() {
    now
    LEFT=$((STARTED + HOOK_LIMIT - NOW))
}

note() {
    line="$(date -u +%Y-%m-%dT%H:%M:%SZ) ${HOOK}[$$]: $*"
    { printf '%s\n' "$line" >&3; } 2>/dev/null || printf '%s\n' "$line" >&2 || :
}

# What somebody has to read: in the log, on standard error and in the system's log.
complain() {
    note "$*"
    [ "$LOG_IS_FILE" = no ] || printf '%s: %s\n' "$HOOK" "$*" >&2 || :
    if [ "$SYSLOG" = yes ]; then
        # a logger that waits for a daemon must not hold up a thaw for longer than once
        limited 2 logger -t iris-backup -p user.err -- "$HOOK: $*" >/dev/null 2>&1 || SYSLOG=no
    fi
}

# fail WHY TEXT: ends the hook. WHY is a word for status_for, at the end of this file.
fail() {
    FAILURE=$1
    shift
    complain "$*"
    exit 1 # what is frozen is thawed by the trap on EXIT
}

# limited SECONDS COMMAND...: small commands, in the foreground.
limited() {
    limited_to=$1
    shift
    if [ "$HAVE_TIMEOUT" = yes ]; then set -- timeout -k 1 "$limited_to" "$@"; fi
    "$@" </dev/null
}

# call SECONDS COMMAND...: STATUS is how it ended; its output goes to the log, its standard input is INPUT.
# In the background, since a shell runs its traps only when the command in the foreground has ended.
call() {
    call_limit=$1
    shift
    if [ "$HAVE_TIMEOUT" = yes ]; then set -- timeout -k "$KILL_AFTER" "$call_limit" "$@"; fi
    "$@" <"$INPUT" >&3 2>&1 3>&- &
    CHILD=$!
    await_child
    case $STATUS in
        124 | 137 | 143) note "$NAME: no answer within $call_limit s, the session was ended" ;;
    esac
}

await_child() {
    while :; do
        wait "$CHILD"
        STATUS=$?
        # above 128: killed, or the wait was ended by a signal to this script
        { [ "$STATUS" -gt 128 ] && kill -0 "$CHILD" 2>/dev/null; } || break
    done
    CHILD=
}

begin() {
    HOOK=$1
    now
    STARTED=$NOW
    ID=$(date -u +%Y%m%dT%H%M%SZ)-$$ # of this backup, in the names of its logs and markers
    read_configuration
    [ -z "$EXTRA_PATH" ] || PATH=$EXTRA_PATH:$PATH
    HAVE_TIMEOUT=no
    ! timeout -k 1 5 true </dev/null >/dev/null 2>&1 || HAVE_TIMEOUT=yes
    ! command -v logger >/dev/null 2>&1 || SYSLOG=yes
    CONTROL='' NAME='' DIRECTORY='' CPF='' LOG='' # the instance at hand
    OWNER='' OWNER_UID='' OWNER_GID='' BECOME=direct # and as whom its sessions run
    BACKUP=$STATE_DIR/backup # what is there from a freeze to its thaw; see claim
    cd / || :                # the owner of an instance must be able to enter the working folder
}

# Opens the log of the hooks. Fails if it cannot be written; then notes go to standard error.
open_log() {
    mkdir -p "$LOG_DIR" 2>/dev/null
    # the owner of an instance must get at his freeze log, and need not see what else is there
    [ "$(id -u)" -ne 0 ] || chmod 0711 "$LOG_DIR" 2>/dev/null
    ( exec 3>>"$LOG_DIR/hooks.log" && printf '%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ) ${HOOK}[$$]: begins" >&3 ) \
        2>/dev/null || return 1
    exec 3>>"$LOG_DIR/hooks.log"
    LOG_IS_FILE=yes
}

# ---------------------------------------------------------------------------------------------------------------
# Configuration

# Sets CONFIGURATION_PROBLEM. A freeze refuses for one; a thaw goes on with what it could read.
read_configuration() {
    CONFIGURATION_PROBLEM=
    TRUSTED=yes
    [ -e "$CONFIGURATION" ] || return 0
    if ! [ -r "$CONFIGURATION" ]; then
        CONFIGURATION_PROBLEM="$CONFIGURATION cannot be read"
        return 0
    fi
    case $(ls -ldL "$CONFIGURATION") in
        ?????w* | ????????w*)
            CONFIGURATION_PROBLEM="others may write $CONFIGURATION, which decides what this script runs"
            TRUSTED=no
            ;;
    esac
    carriage_return=$(printf '\r')
    while IFS= read -r setting || [ -n "$setting" ]; do
        trim "${setting%"$carriage_return"}"
        case $TRIMMED in
            '' | '#'*) ;;
            *=*) take_setting "$TRIMMED" ;;
            *) CONFIGURATION_PROBLEM="$CONFIGURATION: not KEY=value: $TRIMMED" ;;
        esac
    done <"$CONFIGURATION"
}

trim() {
    TRIMMED=${1#"${1%%[! 	]*}"}
    TRIMMED=${TRIMMED%"${TRIMMED##*[! 	]}"}
}

take_setting() {
    trim "${1%%=*}"
    key=$TRIMMED
    trim "${1#*=}"
    value=$TRIMMED
    case $value in
        '"'*'"' | "'"*"'") value=${value#?} value=${value%?} ;;
    esac
    case $key in
        INSTANCE) INSTANCES=$INSTANCES$value$NL ;;
        ALLOW_NONE) ALLOW_NONE=$value ;;
        EXTRA_PATH) is_path && [ "$TRUSTED" = yes ] && EXTRA_PATH=$value ;;
        LOG_DIR) is_path && LOG_DIR=$value ;;
        STATE_DIR) is_path && STATE_DIR=$value ;;
        MARKER_DIR) is_path && MARKER_DIR=$value ;;
        CREDENTIALS) is_path && CREDENTIALS=$value ;;
        EXTERNAL_FREEZE_TIMEOUT) is_seconds 1200 && EXTERNAL_FREEZE_TIMEOUT=$value ;;
        WD_SUSPEND_LIMIT) is_seconds 86400 && WD_SUSPEND_LIMIT=$value ;;
        HOOK_LIMIT) is_seconds 3600 && HOOK_LIMIT=$value ;;
        CALL_LIMIT) is_seconds 3600 && CALL_LIMIT=$value ;;
        KILL_AFTER) is_seconds 60 && KILL_AFTER=$value ;;
        ROLLBACK_TIME) is_seconds 600 && ROLLBACK_TIME=$value ;;
        *) more_settings || CONFIGURATION_PROBLEM="$CONFIGURATION: $key is not a setting" ;;
    esac
    return 0
}

# Paths stand in ObjectScript strings and in records whose fields are separated by ^.
is_path() {
    case $value in
        *[\"^]*) ;;
        /*) return 0 ;;
    esac
    CONFIGURATION_PROBLEM="$CONFIGURATION: $key must be a path from / on, without \" and ^"
    return 1
}

is_seconds() {
    case $value in
        '' | 0* | *[!0-9]* | ??????*) ;;
        *) [ "$value" -gt "$1" ] || return 0 ;;
    esac
    CONFIGURATION_PROBLEM="$CONFIGURATION: $key must be a number of seconds from 1 to $1"
    return 1
}

# ---------------------------------------------------------------------------------------------------------------
# Instances. One is CONTROL (iris or ccontrol), NAME, DIRECTORY and CPF.

# All of this machine, a line CONTROL^NAME^DIRECTORY^CPF^STATUS each, in FOUND.
# qlist, not qall: qall cuts its lines at 78 characters (System Administration Guide, "Controlling InterSystems
# IRIS Instances"). Its fields: name, directory, version, status, configuration file, ports and more.
# A machine may have IRIS (iris) and Caché (ccontrol), or one program by both names: each instance counts once.
list_instances() {
    FOUND=
    for control in iris ccontrol; do
        command -v "$control" >/dev/null 2>&1 || continue
        left
        [ "$LEFT" -le 10 ] || LEFT=10
        [ "$LEFT" -ge 1 ] || LEFT=1
        listed=$(limited "$LEFT" "$control" qlist 2>&3) || {
            LIST_PROBLEM="$control qlist failed"
            return 1
        }
        while IFS='^' read -r name directory _ status cpf rest; do
            [ -n "$name" ] || continue
            case $FOUND in *"^$name^$directory^"*) continue ;; esac
            FOUND=$FOUND$control^$name^$directory^$cpf^$status$NL
        done <<END
$listed
END
    done
    LIST_PROBLEM='there is no iris and no ccontrol here'
    command -v iris >/dev/null 2>&1 || command -v ccontrol >/dev/null 2>&1
}

# Whether the configuration names the instance. `iris` makes no difference between a and A.
is_wanted() {
    [ -n "$INSTANCES" ] || return 0
    printf '%s' "$INSTANCES" | awk -v "name=$1" 'toupper($0) == toupper(name) { found = 1 } END { exit !found }'
}

# As whom sessions of the instance run: OWNER, OWNER_UID, OWNER_GID and BECOME. root is not known to IRIS; the user
# who installed it is, by operating-system authentication. Both places that are asked here are named in the comments
# on "VM Backups and Caché freeze/thaw scripts", InterSystems Developer Community.
find_owner() {
    BECOME=direct
    [ "$(id -u)" -eq 0 ] || return 0 # who is not root is himself, and may be refused
    OWNER=$(awk '$1 == "security_settings.manager_user:" { print $2; exit }' "$DIRECTORY/parameters.isc" 2>/dev/null)
    if [ -z "$OWNER" ] || ! OWNER_UID=$(id -u "$OWNER" 2>/dev/null); then
        for file in "$DIRECTORY/$CPF" "$DIRECTORY/iris.cpf" "$DIRECTORY/cache.cpf" "$DIRECTORY"; do
            [ -f "$file" ] || [ "$file" = "$DIRECTORY" ] || continue
            # shellcheck disable=SC2012 # the name comes last in ls, and is not used
            OWNER=$(ls -ldL "$file" 2>/dev/null | awk '{ print $3; exit }')
            # shellcheck disable=SC2012
            OWNER_UID=$(ls -ldLn "$file" 2>/dev/null | awk '{ print $3; exit }')
            break
        done
    fi
    [ -n "$OWNER_UID" ] && [ "$OWNER_UID" -ne 0 ] || return 0
    OWNER_GID=$(id -g "$OWNER" 2>/dev/null) || {
        note "$NAME: its owner $OWNER is not a user of this machine; trying as root"
        return 0
    }
    for BECOME in setpriv runuser su; do
        command -v "$BECOME" >/dev/null 2>&1 || continue
        [ "$(as_owner limited 5 id -u 2>/dev/null)" != "$OWNER_UID" ] || return 0
    done
    BECOME=direct
    note "$NAME: cannot become its owner $OWNER; trying as root"
}

# Some programs called su hand on the -- before their last arguments, others do not.
# shellcheck disable=SC2016 # for the other shell
THROUGH_SU='[ "$1" != as-owner ] || shift; exec "$@"'

# as_owner limited|call SECONDS COMMAND...: arguments stay as they are, no shell reads them again.
as_owner() {
    runner=$1
    seconds=$2
    shift 2
    case $BECOME in
        setpriv) set -- setpriv "--reuid=$OWNER_UID" "--regid=$OWNER_GID" --init-groups -- "$@" ;;
        runuser) set -- runuser -u "$OWNER" -- "$@" ;;
        su) set -- su -s /bin/sh -c "$THROUGH_SU" "$OWNER" -- as-owner "$@" ;;
    esac
    "$runner" "$seconds" "$@"
}

# session SECONDS EXPRESSION: in %SYS, where Backup.General is. STATUS: a class call ends the session with 5 for
# true or done and 3 for false or failed; anything else means that the call was never made (login refused, licence,
# time limit). Class reference, Backup.General. Only standard input carries credentials, or it is empty: a session
# that asks for a password ends instead of waiting.
session() {
    INPUT=/dev/null
    if [ -f "$CREDENTIALS" ]; then INPUT=$CREDENTIALS; fi
    expression=$2
    if [ "$CONTROL" = iris ]; then
        set -- "$1" "$(command -v iris)" session "$NAME"
    elif command -v csession >/dev/null 2>&1; then
        set -- "$1" "$(command -v csession)" "$NAME"
    else
        set -- "$1" "$(command -v "$CONTROL")" session "$NAME"
    fi
    as_owner call "$@" -U%SYS "$expression"
}

# Whether the write daemon is suspended, in SUSPENDED: yes, no or unknown.
ask() {
    session "$1" '##class(Backup.General).IsWDSuspendedExt()'
    case $STATUS in
        5) SUSPENDED=yes ;;
        3) SUSPENDED=no ;;
        *)
            SUSPENDED=unknown
            note "$NAME: IsWDSuspendedExt ended with $STATUS, neither 5 (frozen) nor 3 (running)"
            ;;
    esac
}

# thaw_one SECONDS: ends with success if the instance said afterwards that it runs.
thaw_one() {
    now
    thaw_until=$((NOW + $1))
    thaw_log=$LOG
    accepted=no
    for attempt in 1 2 3 4 5; do
        now
        part=$(((thaw_until - NOW - KILL_AFTER) / 2))
        if [ "$part" -lt 1 ]; then
            [ "$attempt" -eq 1 ] || break
            part=1
        fi
        if [ "$accepted" = no ]; then
            # ExternalThaw on a command line needs no login, so it works where IsWDSuspendedExt is refused
            session "$part" "##class(Backup.General).ExternalThaw(\"$thaw_log\")"
            note "$NAME: ExternalThaw ended with $STATUS"
            [ "$STATUS" -ne 5 ] || accepted=yes
            thaw_log= # a log that cannot be written may be what it failed for
        fi
        ask "$part"
        [ "$SUSPENDED" != no ] || return 0
        sleep 1
    done
    if [ "$accepted" = no ]; then
        # `iris stat NAME -W` releases the write daemon without a login, for cases like this one (Monitoring Guide,
        # irisstat -W). messages.log tells of it.
        complain "$NAME: ExternalThaw failed, trying the emergency release: $CONTROL stat $NAME -W"
        INPUT=/dev/null
        as_owner call 3 "$(command -v "$CONTROL")" stat "$NAME" -W
        note "$NAME: $CONTROL stat $NAME -W ended with $STATUS"
        ask 2
        [ "$SUSPENDED" != no ] || return 0
    fi
    complain "$NAME: may still be frozen. By hand: $CONTROL session $NAME -U%SYS" \
        "'##class(Backup.General).ExternalThaw()', then $CONTROL stat $NAME -W"
    return 1
}

# Whether the freeze that is in force was ours: IRIS writes to the log that was given to ExternalFreeze.
log_says_frozen() {
    awk '/Backup\.General\.ExternalFreeze: Suspending system/ { frozen = 1 }
        /System resumed|WDSuspendLimit.*reached/ { frozen = 0 }
        END { exit !frozen }' "$LOG" 2>/dev/null
}

# ---------------------------------------------------------------------------------------------------------------
# State. The folder STATE_DIR/backup is there from a freeze to its thaw, so it is a lock as well: `owner` says which
# backup it is and which process made it, `instances` which instances that one set out to freeze (before it asked
# them to, so that nothing is forgotten when it is killed), `complete` that all were.

boot_id() {
    cat /proc/sys/kernel/random/boot_id 2>/dev/null
}

# When a process began; with its number that is one process and no other.
began() {
    awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null
}

read_owner() {
    OWNER_ID='' OWNER_PID='' OWNER_BEGAN='' OWNER_BOOT='' OWNER_PARENT=''
    { read -r OWNER_ID OWNER_PID OWNER_BEGAN OWNER_BOOT OWNER_PARENT <"$BACKUP/owner"; } 2>/dev/null
}

owner_is_at_work() {
    [ -n "$OWNER_PID" ] && [ "$OWNER_PID" != "$$" ] && [ "$OWNER_BOOT" = "$(boot_id)" ] &&
        [ "$(began "$OWNER_PID")" = "$OWNER_BEGAN" ] && kill -0 "$OWNER_PID" 2>/dev/null
}
