#!/bin/sh
# The tests of the catalog's page drive a headless Chromium. Installs it where that is permitted; otherwise
# names the packages in one line, and those tests are skipped.
if command -v chromium >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1; then
    exit 0
fi
packages="chromium chromium-driver"
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        as_root="no"
    fi
    if [ "$as_root" != "no" ]; then
        echo "Installing $packages"
        # shellcheck disable=SC2086 - both are lists of words
        if { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $packages; } </dev/null >/dev/null 2>&1; then
            exit 0
        fi
    fi
fi
echo "Tests of the page are skipped: install $packages to run them" >&2
