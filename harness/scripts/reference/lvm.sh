
# ---------------------------------------------------------------------------------------------------------------
# The job. Its own settings:

VOLUMES=          # keys VOLUME=GROUP/NAME: every volume with databases, WIJ or journals; journals last
SNAPSHOT_SIZE=10G # room for what changes while the copy is made; `thin` for thin volumes, which need none
COPY_TO=          # a folder on other disks; each backup gets a folder in it
VERIFY=           # a program that is given that folder and ends with 0 if the copy is good, best by a restore

more_settings() {
    case $key in
        VOLUME) VOLUMES=$VOLUMES$value$NL ;;
        SNAPSHOT_SIZE) SNAPSHOT_SIZE=$value ;;
        COPY_TO) is_path && COPY_TO=$value ;;
        VERIFY) is_path && VERIFY=$value ;;
        *) return 1 ;;
    esac
    return 0
}

# Each step is a process of its own, so a step that fails in an unforeseen way cannot take the thaw with it.
lvm_job() {
    begin lvm-backup
    FROZEN=no SNAPSHOTS='' MOUNTED=''
    trap end_job EXIT
    trap 'exit 1' HUP INT TERM
    trap : PIPE
    open_log || fail other "$LOG_DIR cannot be written"
    [ -z "$CONFIGURATION_PROBLEM" ] || fail other "$CONFIGURATION_PROBLEM"
    [ -n "$VOLUMES" ] || fail other "$CONFIGURATION must set VOLUME"
    [ -n "$COPY_TO" ] || fail other "$CONFIGURATION must set COPY_TO"
    mkdir -p "$COPY_TO" || fail other "$COPY_TO cannot be made"
    each_volume require_volume # all that can be known to fail does so before the freeze

    FROZEN=yes # from here on the trap thaws; a thaw of nothing does no harm
    run_step freeze || fail other 'not frozen, so no snapshot is taken'
    read_owner
    ID=$OWNER_ID
    each_volume take_snapshot
    FROZEN=no
    run_step thaw || fail other 'not frozen for the whole time, so the snapshots are not good'

    each_volume copy_volume
    set +f
    cp "$MARKER_DIR/marker-$ID-"*.txt "$COPY_TO/$ID/" || fail other 'the markers could not be copied'
    set -f
    if [ -z "$VERIFY" ]; then
        note "backup $ID: copied to $COPY_TO/$ID, but nobody has verified it, so it is not recorded"
        exit 0
    fi
    work "$VERIFY" "$COPY_TO/$ID" || fail other "$VERIFY ended with $STATUS: backup $ID is not good"
    run_step "done" "$ID" || fail other "backup $ID is good, but could not be recorded"
    note "backup $ID: copied, verified and recorded"
    exit 0
}

each_volume() {
    function=$1
    while IFS= read -r volume; do
        [ -n "$volume" ] || continue
        plain=$(printf '%s' "${volume#/dev/}" | sed 's/[^A-Za-z0-9._-]/_/g')
        "$function"
    done <<END
$VOLUMES
END
}

require_volume() {
    limited 20 lvs --noheadings "${volume#/dev/}" >&3 2>&1 || fail other "$volume is no logical volume here"
}

# In the freeze window, so with a time limit. LVM itself holds a mounted filesystem still while it takes a snapshot.
take_snapshot() {
    snapshot=${volume#/dev/}
    snapshot=${snapshot%%/*}/iris_backup_$$_$plain
    if [ "$SNAPSHOT_SIZE" = thin ]; then
        set -- --setactivationskip n
    else
        set -- --size "$SNAPSHOT_SIZE"
    fi
    SNAPSHOTS=$snapshot$NL$SNAPSHOTS
    limited 60 lvcreate --snapshot "$@" --name "${snapshot#*/}" "${volume#/dev/}" >&3 2>&1 ||
        fail other "no snapshot of $volume"
}

copy_volume() {
    snapshot=/dev/${volume#/dev/}
    snapshot=${snapshot%/*}/iris_backup_$$_$plain
    place=$STATE_DIR/mounted.$$.$plain
    mkdir -p "$place" "$COPY_TO/$ID/$plain" || fail other "$COPY_TO/$ID cannot be written"
    MOUNTED=$place$NL$MOUNTED
    # nouuid: XFS refuses a second filesystem with the same identity; others do not know the word
    { mount -o ro,nouuid "$snapshot" "$place" || mount -o ro "$snapshot" "$place"; } >&3 2>&1 ||
        fail other "cannot mount $snapshot"
    # an overfull snapshot shows as an input/output error here
    work cp -a "$place/." "$COPY_TO/$ID/$plain/" || fail other "the copy of $volume failed"
}

# run_step freeze|thaw|done [BACKUP]
run_step() {
    "$SELF" "$@" &
    CHILD=$!
    await_child
    return "$STATUS"
}

# work COMMAND...: what may take hours, and still lets this script hear a signal.
work() {
    "$@" </dev/null >&3 2>&1 &
    CHILD=$!
    await_child
    return "$STATUS"
}

end_job() {
    outcome=$?
    trap - EXIT
    trap : HUP INT TERM PIPE
    if [ -n "$CHILD" ]; then
        kill "$CHILD" 2>/dev/null # a freeze thaws then; a thaw goes on to its end
        await_child
    fi
    [ "$FROZEN" = no ] || "$SELF" thaw
    while IFS= read -r place; do
        [ -n "$place" ] || continue
        umount "$place" >&3 2>&1
        rmdir "$place" 2>/dev/null
    done <<END
$MOUNTED
END
    while IFS= read -r snapshot; do
        [ -n "$snapshot" ] || continue
        limited 60 lvremove --yes "$snapshot" >&3 2>&1 || complain "snapshot $snapshot is left behind: lvremove it"
    done <<END
$SNAPSHOTS
END
    exit "$outcome"
}

status_for() {
    exit 1
}

case $0 in
    /*) SELF=$0 ;;
    *) SELF=$PWD/$0 ;;
esac
case ${1:-job} in
    freeze) freeze_hook ;;
    thaw) thaw_hook ;;
    done)
        shift
        done_hook "$@"
        ;;
    job) lvm_job ;;
    *)
        printf 'usage: iris-lvm-backup [freeze|thaw|done [BACKUP]]\n' >&2
        exit 1
        ;;
esac
