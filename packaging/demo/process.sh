# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# process.sh - daemons that a script started: find them again, end them (to be sourced by bash)
#
# A daemon is known by DIR/NAME.pid and by the name of its executable. Both must fit before it gets
# a signal: a pid alone may be another program's by now.

# process_is PID NAME - is that process this program? A zombie is not: it has no executable.
process_is() {
    case $(readlink "/proc/$1/exe") in
    */"$2" | */"$2 (deleted)") return 0 ;;
    esac
    return 1
}

# process_find NAME - ids of all processes of that program (procps may be absent)
process_find() {
    local proc
    for proc in /proc/[0-9]*; do
        if process_is "${proc#/proc/}" "$1"; then
            echo "${proc#/proc/}"
        fi
    done
}

# process_runs DIR NAME - does the daemon of DIR/NAME.pid run?
process_runs() {
    [ -f "$1/$2.pid" ] && process_is "$(cat "$1/$2.pid")" "$2"
}

# process_end DIR NAME - end that daemon; SIGTERM, and SIGKILL when that does not help in 10 s
process_end() {
    local tenths=0
    while process_runs "$1" "$2"; do
        case $tenths in
        0) kill -TERM "$(cat "$1/$2.pid")" ;;
        100) kill -KILL "$(cat "$1/$2.pid")" ;;
        120) break ;;
        esac
        sleep 0.1
        tenths=$((tenths + 1))
    done
    rm -f "$1/$2.pid"
}
