# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# progress.sh - tell what a script is doing (to be sourced by bash)
#
# On a terminal the current step is one line that is written over; elsewhere every message is a
# line of its own, and changing ones come every few seconds only.

PROGRESS_PLAIN_SECONDS=5
PROGRESS_NAME_WIDTH=10

progress_tty=no
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    progress_tty=yes
fi
progress_name=
progress_text=
progress_since=0
progress_shown=-100
progress_child=

# progress_step NAME - a new step begins
progress_step() {
    progress_name=$1
    progress_since=$SECONDS
    progress_text=...
    progress_shown=-100
    if [ $progress_tty = yes ]; then
        progress_show "$progress_text"
    fi
}

# progress_show TEXT - how far the step is
progress_show() {
    local text width
    progress_text=$1
    printf -v text '%-*s %3d s  %s' $PROGRESS_NAME_WIDTH "$progress_name" \
        $((SECONDS - progress_since)) "$1"
    if [ $progress_tty = yes ]; then
        width=$(tput cols 2>/dev/null || echo 80)
        printf '\r\033[K%s' "${text:0:width-1}"
    elif [ $((SECONDS - progress_shown)) -ge $PROGRESS_PLAIN_SECONDS ]; then
        progress_shown=$SECONDS
        printf '%s\n' "$text"
    fi
}

# progress_done TEXT - the step has ended well
progress_done() {
    if [ $progress_tty = yes ]; then
        printf '\r\033[K'
    fi
    printf '%-*s %3d s  %s\n' $PROGRESS_NAME_WIDTH "$progress_name" \
        $((SECONDS - progress_since)) "$1"
    progress_name=
}

# progress_fail TEXT - end the script because of this
progress_fail() {
    if [ $progress_tty = yes ] && [ -n "$progress_name" ]; then
        printf '\r\033[K'
    fi
    printf '%s%s\n' "${progress_name:+$progress_name: }" "$1" >&2
    progress_name=
    exit 1
}

# progress_run LOG COMMAND... - run COMMAND, its output to LOG, its last line as progress
# Until there is one, the text shown last stays. Ends the script if COMMAND fails.
progress_run() {
    local file=$1 line
    shift
    echo "== $progress_name: $*" >>"$file"
    "$@" >>"$file" 2>&1 </dev/null 9>&- &
    progress_child=$!
    while kill -0 "$progress_child" 2>/dev/null; do
        line=$(tail -n 1 "$file" | tr -d '\r\t')
        case $line in
        "== "*) progress_show "$progress_text" ;;
        *) progress_show "${line:0:200}" ;;
        esac
        sleep 0.2
    done
    if ! wait "$progress_child"; then
        progress_child=
        printf '\n%s\n' "--- the end of $file:" >&2
        tail -n 15 "$file" >&2
        progress_fail "$1 failed"
    fi
    progress_child=
}

# progress_abandon - the script ends in the middle of a step
progress_abandon() {
    if [ -n "$progress_child" ]; then
        kill -TERM "$progress_child" 2>/dev/null
        wait "$progress_child" 2>/dev/null
        progress_child=
    fi
    if [ $progress_tty = yes ] && [ -n "$progress_name" ]; then
        printf '\n'
    fi
    progress_name=
}

# progress_wait SECONDS TEXT CONDITION - call CONDITION until it succeeds
# TEXT is shown meanwhile: a text, or a function that prints one.
# Return: 0, or 1 when the time is over.
progress_wait() {
    local end=$((SECONDS + $1))
    while ! "$3"; do
        if [ $SECONDS -ge $end ]; then
            return 1
        fi
        if declare -F "$2" >/dev/null; then
            progress_show "$("$2")"
        else
            progress_show "$2"
        fi
        sleep 0.5
    done
}
