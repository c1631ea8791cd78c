# shellcheck shell=bash
# The Debian packages armlet is built and tested with, in one place. Sourced by tools/install-deps and by CI; never run.

# To build the armlet binary, fetch a guest and boot it.
export PACKAGES_BUILD="gcc libc6-dev gcc-arm-linux-gnueabihf libc6-dev-armhf-cross binutils cmake ninja-build pkg-config libfdt-dev libcapstone-dev libzydis-dev libslirp-dev liburing-dev ca-certificates cpio python3"

# To run the tests: units, the instruction oracle, boots beside QEMU.
export PACKAGES_TEST="libcmocka-dev qemu-system-arm qemu-system-common qemu-user device-tree-compiler util-linux qemu-utils e2fsprogs iperf3 iproute2 dpkg-dev make perl"

# To make Debian disks (tools/mkdebian) and test them over ssh.
export PACKAGES_DISK="e2fsprogs fakeroot qemu-utils cpio openssh-client ca-certificates"

# To run the boots on stock kvm_amd (in QEMU) and stock kvm_intel (in Bochs).
export PACKAGES_NESTED="qemu-system-x86 bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso kmod"

# To build what bench/compare measures beside QEMU and natively.
export PACKAGES_BENCH="g++ g++-arm-linux-gnueabihf gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-system-arm util-linux cpio python3"
