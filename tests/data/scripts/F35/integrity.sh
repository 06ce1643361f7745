#!/bin/sh
# Tells from an integrity report whether a restored database is damaged: integrity.sh REPORT
report=${1:?usage: integrity.sh REPORT}
if grep -Eq '[1-9][0-9]* (errors exposed|globals with errors found)' "$report"; then
    echo 'the database is damaged' >&2
    exit 1
fi
echo 'the database is clean'
