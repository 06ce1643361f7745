#!/bin/bash
# The floor to measure the harness against: the same work with bare mupip commands, and no verification.
#
#   floor.sh cycle  ROOT WRITERS SEED TRANSACTIONS COUNT copy|reflink    one whole backup and recovery
#   floor.sh window ROOT SNAPSHOT copy|reflink                           one freeze window of a live instance
#   floor.sh fill   ROOT MEGABYTES                                       grow both databases of it, half each
#   floor.sh walk   ROOT WRITERS                                         print the history, compare nothing
#
# The last line on standard output is JSON; every figure ending in _us is microseconds of the system clock.
#
#   window  the freeze command returned → the thaw command returned: what production feels
#   cycle   before anything is created → the last structure check ended
#   after   the load ended (the last writer is gone) → the last structure check ended. The load between thaw
#           and its own end is not in it, since the transactions are the same on both sides.
#
# A `cycle` freezes when COUNT transactions have been committed, and tells what it did, so that it can be held against
# what the harness did: how many were `committed` when it asked for the freeze, how many the snapshot holds (`frozen`)
# and how many came back (`recovered`), and the bytes of the journals that were applied.
#
# ROOT has the folders of a stand-in instance, so that `window`, `fill` and `walk` can be run inside one.
# Databases, buffers, journal options and the freeze are those of harness/standin/gtm.py; a unit test compares
# them. A `cycle` makes no instance, only databases. It asks for System V memory of its own
# (`unshare --ipc --pid --fork --kill-child`), so that nothing is left of it if it is killed.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)
agent=${agent:-${here%/bench}/harness/instance/agent} # given where this text comes on standard input

die() { echo "floor.sh: $*" >&2; exit 1; }

now() { moment=${EPOCHREALTIME/./}; } # no process is started to read the clock

engine() { # ROOT: the variables that make mupip and mumps work on its databases
    gtm_dist=${gtm_dist:-$(ls -d /usr/lib/*/fis-gtm/V*/ | tail -1)}
    gtm_dist=${gtm_dist%/}
    export gtm_dist iris_root=$1 gtm_tmp=$1/mgr/gtm gtm_chset=M
    export gtmgbldir=$1/mgr/gtm/gtm.gld gtmroutines="$1/mgr/gtm($agent) $gtm_dist/libgtmutil.so"
}

mupip() { # quiet, unless it fails
    local said
    said=$("$gtm_dist/mupip" "$@" 2>&1) || die "mupip $*: $said"
}

mumps() { "$gtm_dist/mumps" -run %XCMD "$1"; }

create() { # ROOT: two journaled databases
    mkdir -p "$1"/db/one "$1"/db/two "$1"/mgr/gtm
    local segment="-allocation=4000 -extension=8000 -global_buffer_count=8192"
    "$gtm_dist/mumps" -run GDE >/dev/null 2>&1 <<GDE
change -segment DEFAULT $segment -file="\$iris_root/db/one/IRIS.DAT"
add -segment TWO $segment -file="\$iris_root/db/two/IRIS.DAT"
add -region TWO -dynamic=TWO
change -region DEFAULT -record_size=1000000 -key_size=255 -stdnullcoll
change -region TWO -record_size=1000000 -key_size=255 -stdnullcoll
add -name RVB* -region=TWO
exit
GDE
    mupip create
    journal_on "$1" one DEFAULT
    journal_on "$1" two TWO
}

journal_on() { # ROOT DATABASE REGION: begins a fresh journal, an older one is renamed
    local file="file=\"$1/mgr/gtm/$2.mjl\""
    mupip set "-journal=enable,on,before,$file,autoswitchlimit=8388607,epoch_interval=30" -region "$3"
}

copy() { # copy|reflink SOURCE... TARGET
    if [ "$1" = reflink ]; then cp -a --reflink=always "${@:2}"; else cp -a "${@:2}"; fi
}

hold() { # ROOT SNAPSHOT METHOD: the freeze window; sets called, frozen, thawed
    mkdir -p "$2"
    now; called=$moment
    "$gtm_dist/mupip" freeze -on -online -noautorelease "*" >/dev/null 2>&1 || die "the freeze was refused"
    now; frozen=$moment
    copy "$3" "$1"/db/one "$1"/db/two "$2"
    "$gtm_dist/mupip" freeze -off "*" >/dev/null 2>&1 || die "the thaw was refused; it may still be frozen"
    now; thawed=$moment
}

load() { # WRITERS SEED TRANSACTIONS: starts the writers. What they print goes nowhere, as it is no part of a backup
    local writer share
    writers=()
    for ((writer = 1; writer <= $1; writer++)); do
        share=$(($3 / $1 + (writer <= $3 % $1)))
        # in a session of its own, as the harness starts it: by sessions a busy kernel shares the processors out
        setsid "$gtm_dist/mumps" -run %XCMD \
            "do write^RVWORK($writer,$1,$2,1,$share,600,\"buffered\",0)" >/dev/null &
        writers+=($!)
    done
}

loaded() { # waits until the last writer is gone
    local writer
    for writer in "${writers[@]}"; do wait "$writer" || die "a writer ended with $?"; done
}

reach() { # WRITERS COUNT: waits until so many are committed; sets committed
    # One process looks at the nodes that each writer sets after a commit, as often as the harness looks at its pipes.
    # That is the cheapest way: it costs the writers no system call more, and 1 % of one processor.
    local sum
    sum=$(printf '+$get(^RVAC(%d))' $(seq "$1"))
    committed=$(mumps "xecute \"for i=1:1:150000 set n=0$sum quit:n'<$2  hang 0.004\" write n")
    [ "$committed" -ge "$2" ] || die "the load came to $committed of $2 transactions"
}

total() { # how many transactions the databases hold
    mumps 'set n=0 xecute "for w=1:1:999 set n=n+$get(^RVAS(w))" write n'
}

collect() { # closes the journals; copies those from the freeze on, and lists them in `journals`
    mupip set -journal=enable,on,before -region "DEFAULT,TWO"
    local database file
    mkdir "$root/journals"
    journals=
    for database in one two; do
        # in order of their last record; the first ended at the freeze
        for file in $(ls -tr "$root/mgr/gtm/$database".mjl_* | tail -n +2); do
            cp -a "$file" "$root/journals/"
            journals+=,$root/journals/${file##*/}
        done
    done
    journals=${journals#,}
}

recover() { # ROOT RESTORED JOURNALS: in memory of its own, since a copy's header names the live one's
    engine "$1"
    export iris_root=$2
    local database redirect=
    for database in one two; do
        mupip rundown -file "$2/db/$database/IRIS.DAT"
        redirect+=,$1/db/$database/IRIS.DAT=$2/db/$database/IRIS.DAT
    done
    mupip freeze -off "*"
    mupip set -journal=off -region "*"
    mupip journal -recover -forward -nochecktn "-redirect=${redirect#,}" "$3"
    now; rolled=$moment
    mupip integ -full -file "$2/db/one/IRIS.DAT" & one=$!
    mupip integ -full -file "$2/db/two/IRIS.DAT" & two=$!
    wait $one && wait $two || die "the structure check found errors"
    now; checked=$moment
    # outside of the times: what came back, and what the snapshot held before
    local recovered
    recovered=$(total)
    mkdir "$1/frozen"
    mv "$1/snapshot" "$1/frozen/db"
    iris_root=$1/frozen
    for database in one two; do mupip rundown -file "$iris_root/db/$database/IRIS.DAT"; done
    mupip freeze -off "*"
    mupip set -journal=off -region "*"
    echo "$rolled $checked $recovered $(total)"
}

cycle() { # ROOT WRITERS SEED TRANSACTIONS COUNT METHOD
    root=$1
    now; local began=$moment
    engine "$root"
    create "$root"
    mumps 'zlink "RVWORK"'
    now; local started=$moment
    load "$2" "$3" "$4"
    reach "$2" "$5"
    hold "$root" "$root/snapshot" "$6"
    loaded
    now; local ended=$moment
    collect
    now; local collected=$moment
    mkdir -p "$root/restored/db"
    copy "$6" "$root"/snapshot/one "$root"/snapshot/two "$root/restored/db"
    now; local restored=$moment rolled checked recovered held
    read -r rolled checked recovered held < <(unshare --ipc "$here/floor.sh" recover "$root" "$root/restored" "$journals")
    [ -n "${held:-}" ] || die "the recovery broke off"
    echo "{\"start_us\": $((started - began)), \"freeze_us\": $((frozen - called)), \"window_us\": $((thawed - frozen))," \
        "\"load_us\": $((ended - started)), \"collect_us\": $((collected - ended))," \
        "\"restore_us\": $((restored - collected)), \"rollforward_us\": $((rolled - restored))," \
        "\"integrity_us\": $((checked - rolled)), \"after_us\": $((checked - ended))," \
        "\"cycle_us\": $((checked - began)), \"committed\": $committed," \
        "\"frozen\": $held, \"recovered\": $recovered," \
        "\"journal_bytes\": $(stat -c %s "$root"/journals/* | awk '{n += $1} END {print n}')}"
}

window() { # ROOT SNAPSHOT METHOD
    engine "$1"
    hold "$@"
    echo "{\"freeze_us\": $((frozen - called)), \"window_us\": $((thawed - frozen))}"
}

fill() { # ROOT MEGABYTES: half in each database, one record a block
    engine "$1"
    local records=$(($2 * 128))
    mumps "for i=1:1:$records set ^FILL(i)=\$justify(i,3900)" & local one=$!
    mumps "for i=1:1:$records set ^RVBFILL(i)=\$justify(i,3900)" & local two=$!
    wait $one && wait $two || die "the databases could not be filled"
    echo "{\"bytes\": $(($(stat -c '%b*512' "$1/db/one/IRIS.DAT") + $(stat -c '%b*512' "$1/db/two/IRIS.DAT")))}"
}

walk() { # ROOT WRITERS: two walkers at a time, as many as there are processors
    engine "$1"
    now; local began=$moment
    seq "$2" | xargs -P "$(nproc)" -I{} "$gtm_dist/mumps" -run %XCMD 'do history^RVCHECK({})' >/dev/null
    now
    echo "{\"walk_us\": $((moment - began))}"
}

case ${1:-} in
    cycle | window | fill | walk | recover) "$@" ;;
    *) die "usage: see the head of this file" ;;
esac
