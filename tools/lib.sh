# shellcheck shell=bash
# Shared by the scripts of tools/ and tests/: messages, retries, where things live. Sourced, never run.

# Absolute path of the checkout, and of the cache for what Debian's registry gives (kernels, busybox, a few programs).
ARMLET_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ARMLET_CACHE=${ARMLET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/armlet}
export ARMLET_TOP ARMLET_CACHE

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# retry TIMES COMMAND...: run COMMAND until it succeeds, waiting a little longer after each failure.
retry() {
    local times=$1 n
    shift
    for ((n = 1; n < times; n++)); do
        "$@" && return 0
        say "retrying (attempt $n of $times failed): $*"
        sleep $((n * 3))
    done
    "$@"
}

# Run COMMAND with the rights to install packages: as it is for root, through sudo otherwise.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "not root and no sudo here; run as root: $*"
    fi
}
