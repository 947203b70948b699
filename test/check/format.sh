#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# format.sh [--root DIR] - C files look as .clang-format wants them
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
[ "${1:-}" != --root ] || root=$2

mapfile -t files < <(python3 -B "$here/tree.py" "$root" .c .h)
if [ "${#files[@]}" -eq 0 ]; then
    echo "format: looked at nothing: no C files"
    exit 1
fi
cd "$root"
bad=0
for file in "${files[@]}"; do
    if ! clang-format --style="file:$here/../../.clang-format" --dry-run -Werror "$file" \
        2>/dev/null; then
        echo "$file:1: try clang-format -i"
        bad=$((bad + 1))
    fi
done
if [ "$bad" -gt 0 ]; then
    echo "format: looked at ${#files[@]} files: $bad problems"
    exit 1
fi
echo "format: looked at ${#files[@]} files: ok"
