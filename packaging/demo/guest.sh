# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# guest.sh - a small Linux guest for the demo (to be sourced by bash, after libvirtd.sh)
#
# The guest is the cloud kernel from the package archive and an initramfs made here of the static
# busybox and the init beside this file: no disk, no network, a virtio balloon. It needs about 80
# MiB for itself, and fills as much more as it is told to.

GUEST_SOURCES=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
GUEST_FILLED="demo-guest: filled"
GUEST_MODULES="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
    virtio_balloon"
GUEST_PROGRAMS="sh mount insmod cat dd head echo sleep poweroff"

# guest_build DIR - make DIR/vmlinuz and DIR/initramfs, unless they are there
# Needs apt-get, dpkg-deb, cpio and busybox-static; root, or nothing but a writable DIR.
guest_build() {
    local guest_stamp
    guest_stamp=$(cat "$GUEST_SOURCES/init" "$GUEST_SOURCES/guest.sh" | cksum)
    if [ "$(cat "$1/stamp" 2>/dev/null)" = "$guest_stamp" ]; then
        return 0
    fi
    rm -rf "$1/work" "$1/stamp"
    mkdir -p "$1/work/initramfs" &&
        guest_fetch_kernel "$1/work" &&
        guest_pack_initramfs "$1/work" &&
        mv "$1"/work/kernel/boot/vmlinuz-* "$1/vmlinuz" &&
        mv "$1/work/initramfs.gz" "$1/initramfs" &&
        rm -rf "$1/work" &&
        echo "$guest_stamp" >"$1/stamp"
}

# The package lists may be missing, or older than the newest kernel.
guest_fetch_kernel() {
    guest_download_kernel "$1" || { apt-get -q update && guest_download_kernel "$1"; }
}

# The metapackage names the newest kernel; installing it would be neither needed nor polite.
guest_download_kernel() (
    cd "$1" || exit
    kernel_package=$(apt-cache depends linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
    if [ -z "$kernel_package" ]; then
        echo "the package lists have no linux-image-cloud-amd64"
        exit 1
    fi
    apt-get -q -o APT::Sandbox::User=root download "$kernel_package" &&
        dpkg-deb -x "$kernel_package"_*.deb kernel
)

guest_pack_initramfs() (
    cd "$1/initramfs" || exit
    mkdir -p bin lib dev proc fill &&
        cp "$(command -v busybox)" bin/busybox &&
        install -m 755 "$GUEST_SOURCES/init" init &&
        head -c 1056768 /dev/urandom >common || exit
    for program in $GUEST_PROGRAMS; do
        ln -s busybox "bin/$program" || exit
    done
    for module in $GUEST_MODULES; do
        # A module that is not there is built into that kernel.
        find ../kernel/lib/modules -name "$module.ko" -exec cp {} lib/ \;
    done
    find . | cpio -o -H newc --quiet | gzip -1 >../initramfs.gz
)

# guest_accel DIR - print kvm if QEMU can really run this guest with it, otherwise tcg
# /dev/kvm may exist and be useless: without access for QEMU's user, without a working nested
# mode, without what a kernel needs. So the guest of DIR is booted once, as QEMU's user, who must
# be able to reach DIR.
guest_accel() {
    if libvirtd_virsh 60 domcapabilities --virttype kvm >/dev/null 2>&1 &&
        libvirtd_as_qemu timeout -k 1 8 qemu-system-x86_64 -accel kvm -cpu host -m 192 \
            -nodefaults -no-user-config -display none -no-reboot -serial stdio \
            -kernel "$1/vmlinuz" -initrd "$1/initramfs" \
            -append "console=ttyS0 quiet panic=-1 demo.off=1" 2>/dev/null </dev/null |
        grep -q "$GUEST_FILLED"; then
        echo kvm
    else
        echo tcg
    fi
}

# guest_xml NAME MIB ACCEL DIR CONSOLE PARAMETERS - print the XML of a domain that runs the guest
# CONSOLE is the file to which the serial console goes; PARAMETERS are those of init.
guest_xml() {
    local guest_type guest_cpu guest_tcg
    case $3 in
    kvm)
        guest_type=kvm
        guest_cpu="<cpu mode='host-passthrough'/>"
        guest_tcg=
        ;;
    *)
        guest_type=qemu
        guest_cpu="<cpu mode='custom'><model>qemu64</model></cpu>"
        # QEMU would take up to 1 GiB for translated code.
        guest_tcg="<tcg><tb-cache unit='MiB'>32</tb-cache></tcg>"
        ;;
    esac
    cat <<XML
<domain type='$guest_type'>
  <name>$1</name>
  <memory unit='MiB'>$2</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>$4/vmlinuz</kernel>
    <initrd>$4/initramfs</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 mitigations=off $6</cmdline>
  </os>
  <features><acpi/>$guest_tcg</features>
  $guest_cpu
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='$5'/></serial>
    <memballoon model='virtio'><stats period='2'/></memballoon>
  </devices>
  <seclabel type='none'/>
</domain>
XML
}

# guest_is_filled CONSOLE - has the guest that writes to this file filled its memory?
guest_is_filled() {
    grep -q "$GUEST_FILLED" "$1" 2>/dev/null
}
