
# ---------------------------------------------------------------------------------------------------------------
# Amazon Data Lifecycle Manager calls with pre-script, post-script or dry-run, and knows these results:
#   201 pre-script failed          203 thawed before the post-script     205 post-script without a pre-script
#   202 post-script failed         204 pre-script, but frozen already    206 not ready for a pre-script
# Source: Amazon EBS User Guide, "Automate application-consistent snapshots with Data Lifecycle Manager".

status_for() {
    case $HOOK-$1 in
        freeze-busy) exit 204 ;;
        freeze-not-ready) exit 206 ;;
        freeze-*) exit 201 ;;
        thaw-self-thaw) exit 203 ;;
        thaw-mismatch) exit 205 ;;
        thaw-*) exit 202 ;;
    esac
    exit 206
}

more_settings() {
    return 1
}

# Everything that a freeze needs, without a freeze: configuration, instances, their owners, a login.
dry_run() {
    begin dry-run
    trap 'trap - EXIT; [ "$DONE" = yes ] || exit 206; exit 0' EXIT
    DONE=no
    prepare
    list_instances || fail not-ready "cannot list instances: $LIST_PROBLEM"
    choose
    each_chosen require_running_writes
    DONE=yes
    note "$COUNT instance(s) could be frozen"
    exit 0
}

command='{{ command }}' # Systems Manager puts the word here
case $command in
    pre-script) freeze_hook ;;
    post-script) thaw_hook ;;
    dry-run) dry_run ;;
esac
exit 206
