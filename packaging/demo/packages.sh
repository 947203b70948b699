# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# packages.sh - the packages of packaging/dependencies (to be sourced by bash)

PACKAGES_LIST=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../dependencies

# packages_of SECTION... - the packages of these sections, one a line
packages_of() {
    local section
    for section in "$@"; do
        sed -n "s/^$section: *//p" "$PACKAGES_LIST"
    done | tr -s ' ' '\n'
}

# packages_missing SECTION... - packages of these sections that are not installed, one a line
packages_missing() {
    local wanted
    mapfile -t wanted < <(packages_of "$@")
    # What another package provides is there: some bring npm with nodejs.
    # shellcheck disable=SC2016 # not a variable of ours
    printf '%s\n' "${wanted[@]}" | grep -vxF -f <(
        dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
            sed -n 's/^installed //p' | sed 's/([^)]*)//g' | tr -s ', ' '\n'
    )
}

# packages_install PACKAGE... - install them, with fresh package lists where needed
packages_install() {
    # On a fresh system there are no lists at all; on a used one they may be too old.
    if compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && packages_apt "$@"; then
        return 0
    fi
    apt-get update -q && packages_apt "$@"
}

packages_apt() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Use-Pty=0 "$@"
}
