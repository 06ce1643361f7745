#!/bin/sh
# Talks without end.
exec yes 'IS FROZEN'
