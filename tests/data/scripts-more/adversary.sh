#!/bin/sh
# adversary.sh VARIANT freeze|thaw: a right pair of scripts for one or two instances, but for what the variant does.
variant=$1 hook=$2
log=/var/log/adversary
mkdir -p "$log"
inside=$(awk '$5 ~ /\/inside$/ {print $5}' /proc/self/mountinfo)
standin=$(sed -n "s/.*\$standin ) = (.*, '\(.*\)' );/\1/p" /usr/bin/iris)

running() { iris qlist | awk -F^ '$4 ~ /^running/ {print $1}'; }
session() { iris session "$1" -U%SYS "##class(Backup.General).$2" </dev/null; }
freeze() { session "$1" "ExternalFreeze(\"${2-$log/$1.log}\",,,,,,600,,,300)"; [ $? = 5 ]; }
thaw() { session "$1" 'ExternalThaw()'; [ $? = 5 ]; }
frozen() { session "$1" 'IsWDSuspendedExt()'; [ $? = 5 ]; }

freeze_all() {
    done=
    for one in $(running); do
        if freeze "$one"; then done="$done $one"; continue; fi
        for other in $done; do thaw "$other"; done
        exit 1
    done
    [ -n "$done" ] || exit 1
}
thaw_all() {
    status=0
    for one in $(running); do
        frozen "$one" || status=1
        thaw "$one" || status=1
    done
    exit $status
}

case $variant-$hook in
    # careless or lazy
    late-freeze-freeze) (sleep 0.03; freeze_all) & exit 0 ;;
    late-thaw-freeze) freeze_all; (sleep 40; thaw IRISA) >/dev/null 2>&1 & exit 0 ;;
    short-limit-freeze)
        session IRISA "ExternalFreeze(\"$log/IRISA.log\",,,,,,600,,,2)"
        [ $? = 5 ]
        exit
        ;;
    first-only-freeze) freeze "$(running | head -n 1)"; exit ;;
    only-three-freeze)
        for one in $(running); do
            session "$one" "ExternalFreeze(\"$log/$one.log\",,,,,,600,,,300)"
            [ $? != 3 ] || exit 1
        done
        exit 0
        ;;
    fake-marker-freeze) echo 'offset 65976 of /iris/journal/20260101.001' >"$log/marker"; freeze IRISA ''; exit ;;
    refuses-freeze) exit 1 ;;
    verbs-freeze) for one in $(running); do iris freeze "$one" timeout=600 || exit 1; done; exit 0 ;;
    verbs-thaw) for one in $(running); do frozen "$one" || exit 1; iris thaw "$one" || exit 1; done; exit 0 ;;
    # right, and written in another way
    relative-freeze) freeze IRISA adversary.log; exit ;;
    output-freeze) freeze IRISA 0 >>"$log/output"; exit ;;
    # hostile
    bypass-freeze) IRISSYS=$inside/registry "$standin/iris" session IRISA -U%SYS '##class(Backup.General).ExternalFreeze()'; exit 0 ;;
    stopped-freeze) kill -STOP $$ ;;
    env-freeze) freeze_all; rm /usr/bin/env; printf '#!/bin/sh\nexit 5\n' >/usr/bin/env; chmod 755 /usr/bin/env; exit 0 ;;
    forges-freeze) freeze_all; printf 'a\tb\tc\td\te\tf\tg\n' >>"$inside/calls"; exit 0 ;;
    deep-freeze)
        freeze_all
        cd "$inside" || exit 1
        perl -e 'for (1 .. 2500) { mkdir "d"; chdir "d" or last }'
        exit 0
        ;;
    links-freeze)
        # CANARY is a file of the real machine that nobody in here can name otherwise
        freeze_all
        rm -rf "$inside/calls" "$inside/plants" "$inside/snapshot"
        ln -s "$CANARY" "$inside/calls"
        ln -s "$CANARY" "$inside/plants"
        rm -rf /srv /home "$log"/*
        ln -s "${CANARY%/*}" /srv
        ln -s / /home
        mkfifo "$log/IRISA.log"
        exit 0
        ;;
    leads-out-freeze) freeze_all; ln -s /etc "$inside/iris/irisa/db/one/etc"; exit 0 ;;
    mounts-freeze)
        mount -t tmpfs -o size=8g more /mnt && exit 0
        mount -o remount,bind,rw /usr/lib && exit 0
        unshare --user --map-root-user mount -t tmpfs more /mnt && exit 0
        echo 0 >/proc/sys/user/max_user_namespaces && exit 0
        freeze_all
        exit 0
        ;;
esac
"${hook}_all"
