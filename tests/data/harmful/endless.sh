#!/bin/sh
# Never ends, whoever asks.
trap '' TERM INT HUP
while :; do sleep 1; done
