#!/bin/sh
# Healthy is an instance that `iris qlist` calls running, in its fourth field, and ok, in its ninth
# (System Administration Guide, "Controlling InterSystems IRIS Instances").
line=$(iris qlist IRIS) || exit 1
IFS=^ read -r _ _ _ status _ _ _ _ health _ <<END
$line
END
case $status in
    running*) [ "$health" = ok ] && exit 0 ;;
esac
printf '%s, health: %s\n' "$status" "${health:-none}"
exit 1
