#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# shell.sh [--root DIR] - shellcheck has nothing to say about any shell script
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
[ "${1:-}" != --root ] || root=$2

mapfile -t files < <(python3 -B "$here/tree.py" "$root" shell)
if [ "${#files[@]}" -eq 0 ]; then
    echo "shell: looked at nothing: no scripts"
    exit 1
fi
cd "$root"
bad=0
for file in "${files[@]}"; do
    # What a script sources is checked as a file of its own.
    if ! shellcheck --format=gcc --exclude=SC1091 "$file"; then
        bad=$((bad + 1))
    fi
done
if [ "$bad" -gt 0 ]; then
    echo "shell: looked at ${#files[@]} files: $bad problems"
    exit 1
fi
echo "shell: looked at ${#files[@]} files: ok"
