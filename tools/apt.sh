# shellcheck shell=bash
# Debian packages for other architectures without touching the machine's apt: private state, cache and source list, made from the mirrors of this machine.
# No root rights are needed. Sourced after lib.sh by the tools that fetch or build guests; never run.

# debian_codename: the release this machine runs.
debian_codename() {
    (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
}

# debian_mirrors [SUITE]: the mirrors this machine uses for Debian itself, "URI RELEASE COMPONENT KEYRING" a line, third-party sources left out.
# With a SUITE that is not the machine's own release, that suite on the same mirrors.
debian_mirrors() {
    local codename
    codename=$(debian_codename)
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)' 'Created-By: Packages' 2>/dev/null |
        awk -v c="$codename" -v s="${1:-$codename}" '$3 == "main" && ($2 == c || $2 == c "-updates" || $2 == c "-security") {
            $2 = s substr($2, length(c) + 1)
            print
        }' | sort -u
}

# apt_setup ARCH [SUITE]: private apt set-up for one architecture; sets the array APT to the options that select it.
apt_setup() {
    local arch=$1 dir=$ARMLET_CACHE/apt-$1${2:+-$2} keyring=/usr/share/keyrings/debian-archive-keyring.gpg uri release component signed
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/empty"
    : >"$dir/status"
    while read -r uri release component signed; do
        case $signed in
        /*) ;;
        *) signed=$keyring ;;
        esac
        if [ -r "$signed" ]; then
            printf 'deb [arch=%s signed-by=%s] %s %s %s\n' "$arch" "$signed" "$uri" "$release" "$component"
        else
            printf 'deb [arch=%s] %s %s %s\n' "$arch" "$uri" "$release" "$component"
        fi
    done < <(debian_mirrors "${2:-}") >"$dir/sources.list"
    [ -s "$dir/sources.list" ] || die "no Debian mirror found in this machine's apt sources"
    APT=(-q -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "Dir::State=$dir/state" -o "Dir::State::status=$dir/status"
        -o "Dir::Cache=$dir/cache" -o "Dir::Etc::SourceList=$dir/sources.list" -o "Dir::Etc::SourceParts=$dir/empty" -o "Dir::Etc::PreferencesParts=$dir/empty"
        -o Acquire::Retries=5 -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1)
}

# Fetch the package lists. A suite in mid-sync (the security suite's index sometimes fails its hash) is no reason to stop: what counts is
# that the main suite is there, which the first look-up of a package shows.
apt_update() {
    local log=$ARMLET_CACHE/apt-update.log n
    for n in 1 2 3; do
        apt-get "${APT[@]}" update >"$log" 2>&1 || true
        apt-cache "${APT[@]}" show libc6 >/dev/null 2>&1 && return 0
        sleep $((n * 3))
    done
    cat "$log" >&2
    die "cannot fetch Debian's package lists for $1 (full log: $log)"
}

# download DIR PACKAGE...: the packages' .deb files into DIR, which is emptied first.
download() {
    local dir=$1 log=$ARMLET_CACHE/apt-download.log
    shift
    rm -rf "$dir"
    mkdir -p "$dir"
    if ! (cd "$dir" && retry 3 apt-get "${APT[@]}" download "$@" >"$log" 2>&1); then
        cat "$log" >&2
        die "cannot download from Debian's registry: $*"
    fi
}

# unpack DIR PACKAGE...: download the packages and unpack them into DIR (made anew).
unpack() {
    local dir=$1 deb
    shift
    download "$dir.debs" "$@"
    rm -rf "$dir"
    mkdir -p "$dir"
    for deb in "$dir.debs"/*.deb; do
        dpkg-deb -x "$deb" "$dir" || die "cannot unpack $deb"
    done
    rm -rf "$dir.debs"
}

# The package a kernel metapackage stands for, such as linux-image-6.1.0-50-armmp.
real_kernel() {
    local name
    name=$(apt-cache "${APT[@]}" show --no-all-versions "$1" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
    [ -n "$name" ] || die "Debian's registry knows no kernel package $1"
    printf '%s' "$name"
}

# unpack_closure DIR PACKAGE...: the packages and everything they depend on, unpacked into DIR (made anew).
unpack_closure() {
    local dir=$1 log=$ARMLET_CACHE/apt-download.log deb
    shift
    rm -rf "$dir" "$dir.debs"
    mkdir -p "$dir" "$dir.debs/partial"
    if ! retry 3 apt-get "${APT[@]}" -o "Dir::Cache::archives=$dir.debs" install --download-only --no-install-recommends --yes "$@" >"$log" 2>&1; then
        cat "$log" >&2
        die "cannot download from Debian's registry: $*"
    fi
    for deb in "$dir.debs"/*.deb; do
        dpkg-deb -x "$deb" "$dir" || die "cannot unpack $deb"
    done
    rm -rf "$dir.debs"
}
