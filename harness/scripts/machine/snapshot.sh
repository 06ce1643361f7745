#!/bin/sh
# Takes the snapshot of a job that does everything itself: the harness is told, looks at the instances, and answers.
read -r round <'@TOLD@/round'
: >"@INSIDE@/snapshot/asked-$round"
while [ ! -e "@TOLD@/taken-$round" ]; do sleep 0.05; done
