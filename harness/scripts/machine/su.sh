#!/bin/sh
# su, runuser and sudo of the machine: what scripts use of them. Root may become anybody, nobody else may.
program=${0##*/}
user=root login='' command='' shell='' has_command='' named=''
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        - | -l | --login | -i) login=1 ;;
        -c | --command) command=$2 has_command=1; shift ;;
        --command=*) command=${1#*=} has_command=1 ;;
        -s | --shell) shell=$2; shift ;;
        --shell=*) shell=${1#*=} ;;
        -u | --user) user=$2 named=1; shift ;;
        --user=*) user=${1#*=} named=1 ;;
        -g | --group | -G | --supp-group) shift ;;
        -*) ;;
        *)
            if [ "$program" != sudo ] && [ -z "$named" ]; then user=$1 named=1; else break; fi
            ;;
    esac
    shift
done
if [ "$(id -u)" != 0 ] && [ "$user" != "$(id -un)" ]; then
    case $program in
        sudo) echo 'sudo: a password is required' >&2 ;;
        *) echo "$program: Authentication failure" >&2 ;;
    esac
    exit 1
fi
entry=$(grep "^$user:" /etc/passwd) || { echo "$program: user $user does not exist" >&2; exit 1; }
home=$(echo "$entry" | cut -d: -f6)
[ -n "$shell" ] || shell=/bin/sh
if [ -n "$has_command" ]; then set -- "$shell" -c "$command" "$@"; elif [ $# = 0 ]; then set -- "$shell"; fi
if [ -n "$login" ]; then
    set -- env -i PATH=/usr/local/bin:/usr/bin:/bin "HOME=$home" "USER=$user" "LOGNAME=$user" "SHELL=$shell" "$@"
else
    HOME=$home
    export HOME
fi
if [ "$(id -u)" = 0 ]; then exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"; fi
exec "$@"
