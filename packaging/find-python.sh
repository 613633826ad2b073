#!/bin/sh
# Prints the first Python on the path that is 3.11 or later; nothing when there is none.
for name in python3 python3.13 python3.12 python3.11 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$name"
        exit 0
    fi
done
