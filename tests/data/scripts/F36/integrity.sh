#!/bin/sh
# Waits for the integrity reports of two databases, one minute at most: integrity.sh REPORT
report=${1:?usage: integrity.sh REPORT}
tries=0
while [ "$(grep -c 'No Errors were found' "$report")" -lt 2 ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        echo 'the check did not end in time' >&2
        exit 1
    fi
    sleep 1
done
echo 'both databases are clean'
