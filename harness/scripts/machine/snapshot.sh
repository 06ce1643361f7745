#!/bin/sh
# Takes the snapshot of a job that does everything itself: the harness is told, looks at the instances, and answers
# how the program is to end.
read -r round <'@TOLD@/round'
echo asked >>"@INSIDE@/snapshot/asked-$round"
while [ ! -e "@TOLD@/taken-$round" ]; do sleep 0.05; done
read -r status <"@TOLD@/taken-$round"
[ "$status" != killed ] || kill -s KILL $$
exit "$status"
