# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# libvirtd.sh - use the libvirt daemon of this host, or run one for a while (to be sourced by bash)
#
# The demo and the tests need somebody who answers at qemu:///system. On most hosts that is the
# operator's own libvirtd or virtqemud, and then nothing is started, changed or stopped. Otherwise
# (a container, a rescue system, no service manager) virtlogd and libvirtd are started by hand.
#
# What was started is written down as DIR/virtlogd.pid and DIR/libvirtd.pid, so that another
# process may stop it, and exactly it, later. Domains outlive libvirtd: whoever started some must
# destroy them before libvirtd_stop.
#
# No file below /etc/libvirt is edited. Starting libvirtd would also start every domain, network
# and storage pool that the operator marked for autostart; marker files, which libvirt itself uses
# to do this once per boot, keep ours from it. They are removed again by libvirtd_stop, so the
# operator's own libvirtd still autostarts what it should.
#
# Without udev /dev/kvm may be there for root alone. libvirt then finds KVM when it probes QEMU as
# root, finds that QEMU's own user cannot have it, and probes again at every single call, which
# takes seconds each time. A libvirtd of ours then gets a mount namespace without /dev/kvm, so that
# both answers agree and are kept; where namespaces are not to be had, it is slow but works.
#
# Source: libvirt src/util/virdriver.c, virDriverShouldAutostart(); src/qemu/qemu_capabilities.c,
# virQEMUCapsIsValid() (seen with libvirt 9.0: 4 s and 0.01 s for one "virsh version")

# shellcheck source=process.sh
. "$(dirname "${BASH_SOURCE[0]}")/process.sh"

LIBVIRTD_URI=qemu:///system
LIBVIRTD_AUTOSTARTERS="qemu network storage"

# libvirtd_virsh SECONDS COMMAND... - run a virsh command, which may take so long
# Without a terminal: on one, virsh starts a polkit agent, which is slow and writes about its woes.
libvirtd_virsh() {
    local seconds=$1
    shift
    setsid -w timeout -k 1 "$seconds" virsh -q -c "$LIBVIRTD_URI" "$@" </dev/null
}

# libvirtd_answers SECONDS - does a libvirt daemon answer within that time?
# Asks for the QEMU version, because a daemon may accept connections and have no QEMU driver.
libvirtd_answers() {
    libvirtd_virsh "$1" version >/dev/null 2>&1
}

# libvirtd_qemu_user - the user that QEMU runs as on this distribution; empty when there is none
libvirtd_qemu_user() {
    local user
    for user in libvirt-qemu qemu; do
        if getent passwd "$user" >/dev/null; then
            echo "$user"
            return
        fi
    done
}

# libvirtd_as_qemu COMMAND... - run something with the rights that libvirt gives to QEMU
libvirtd_as_qemu() {
    local user group
    user=$(libvirtd_qemu_user)
    group=$(getent group kvm >/dev/null && echo kvm || echo "$user")
    setpriv --reuid="$user" --regid="$group" --init-groups "$@"
}

# libvirtd_start DIR - make sure that a libvirt daemon answers; pids and logs of ours go to DIR
# Return: 0 when it answers; otherwise 1, with the reason on standard error.
libvirtd_start() {
    local name pid
    if libvirtd_answers 5; then
        return 0
    fi
    for name in libvirtd virtqemud; do
        pid=$(libvirtd_find "$name")
        if [ -n "$pid" ]; then
            # Socket activation, a slow disk or the first probe of QEMU: give it time, not a rival.
            if libvirtd_answers 60; then
                return 0
            fi
            echo "$name runs (pid $pid) but does not answer at $LIBVIRTD_URI" >&2
            return 1
        fi
    done
    if [ -z "$(libvirtd_qemu_user)" ]; then
        echo "no user for QEMU to run as; is the package libvirt-daemon-system installed?" >&2
        return 1
    fi
    libvirtd_hold_autostart "$1"
    libvirtd_run "$1"
}

# libvirtd_restart DIR - as an update of libvirt does it, if libvirtd_start DIR had to start it
# Domains go on, and so does virtlogd, by way of which they write to their consoles.
libvirtd_restart() {
    if libvirtd_started "$1"; then
        process_end "$1" libvirtd
        libvirtd_run "$1"
    fi
}

# libvirtd_stop DIR - stop what libvirtd_start DIR started; does nothing if it started nothing
libvirtd_stop() {
    local marker
    process_end "$1" libvirtd
    process_end "$1" virtlogd
    if [ -d "$1/dev" ]; then
        rmdir "$1/dev"
    fi
    if [ -f "$1/autostart-held" ]; then
        while read -r marker; do
            rm -f "$marker"
        done <"$1/autostart-held"
        rm -f "$1/autostart-held"
    fi
}

# libvirtd_started DIR - is it ours, i.e. did libvirtd_start DIR have to start it?
libvirtd_started() {
    [ -f "$1/libvirtd.pid" ]
}

# --- helpers -----------------------------------------------------------------------------------

# libvirtd_find NAME - ids of its processes that may be the host's
# One in a container is not, and neither is one with drivers of its own, as tests have it.
libvirtd_find() {
    local pid
    for pid in $(process_find "$1"); do
        if [ "/proc/$pid/ns/pid" -ef /proc/self/ns/pid ] &&
            ! grep -qzs '^LIBVIRT_DRIVER_DIR=' "/proc/$pid/environ"; then
            echo "$pid"
        fi
    done
}

# libvirtd_run DIR - libvirtd, and virtlogd if there is none that answers
libvirtd_run() {
    if ! timeout 5 virt-admin -c virtlogd:///system srv-list >/dev/null 2>&1; then
        process_end "$1" virtlogd
        libvirtd_spawn "$1" virtlogd || return 1
    fi
    if libvirtd_must_hide_kvm && unshare -m --propagation slave true 2>/dev/null; then
        libvirtd_spawn "$1" libvirtd libvirtd_without_kvm "$1/dev" || return 1
    else
        libvirtd_spawn "$1" libvirtd || return 1
    fi
    # The first call makes libvirt ask every installed emulator for its abilities.
    if ! libvirtd_answers 120; then
        echo "libvirtd does not answer; the end of its log:" >&2
        tail -n 5 "$1/libvirtd.log" >&2
        return 1
    fi
}

libvirtd_hold_autostart() {
    local driver marker
    : >"$1/autostart-held"
    for driver in $LIBVIRTD_AUTOSTARTERS; do
        marker=/run/libvirt/$driver/autostarted
        if [ ! -e "$marker" ]; then
            mkdir -p "${marker%/*}"
            : >"$marker"
            echo "$marker" >>"$1/autostart-held"
        fi
    done
}

# libvirtd_spawn DIR NAME [COMMAND...] - start a daemon, by way of COMMAND if there is one
# -d returns when the daemon is ready for connections and has left our session and terminal.
libvirtd_spawn() {
    local dir=$1 name=$2
    shift 2
    if ! (
        LIBVIRT_LOG_OUTPUTS="2:file:$dir/$name.log"
        export LIBVIRT_LOG_OUTPUTS
        "$@" "$name" -d -p "$dir/$name.pid" 2>"$dir/$name.err"
    ); then
        echo "cannot start $name: $(tail -n 1 "$dir/$name.err")" >&2
        rm -f "$dir/$name.pid"
        return 1
    fi
    rm -f "$dir/$name.err"
}

# libvirtd_without_kvm DIR COMMAND... - run COMMAND with a /dev that has no kvm, built on DIR
# A mount on /dev/kvm itself would be shorter, but libvirt fails to carry it over to domains.
libvirtd_without_kvm() {
    mkdir -p "$1"
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare -m --propagation slave sh -ec '
        dev=$1
        shift
        mount -t tmpfs -o mode=755 dev "$dev"
        for node in /dev/*; do
            if [ "$node" = /dev/kvm ]; then
                continue
            elif mountpoint -q "$node"; then
                mkdir "$dev/${node##*/}"
                mount --move "$node" "$dev/${node##*/}"
            else
                cp -a "$node" "$dev/"
            fi
        done
        # libvirt looks at every mount below /dev, also at those hidden by another.
        ! mountpoint -q /dev || umount -l /dev
        mount --move "$dev" /dev
        exec "$@"' sh "$@"
}

libvirtd_must_hide_kvm() {
    [ -e /dev/kvm ] && ! libvirtd_as_qemu test -r /dev/kvm -a -w /dev/kvm
}
