# shellcheck shell=bash
# Kernel modules that tools/fetch-guest has put in the cache. Sourced after lib.sh by the tools that make guests; never run.

# module_order FLAVOUR NAME...: the modules NAME and all they depend on, in an order in which they can be loaded, one a line.
module_order() {
    local from=$ARMLET_CACHE/guest/modules-$1 name line
    local -A seen=()
    shift
    [ -s "$from/depends" ] || die "no modules in $from; run tools/fetch-guest"
    visit() {
        local name=${1//-/_} line dependency
        [ -z "${seen[$name]:-}" ] || return 0
        seen[$name]=1
        line=$(grep "^$name:" "$from/depends") || die "no module $name in $from; run tools/fetch-guest --update"
        for dependency in ${line#*:}; do
            visit "$dependency"
        done
        printf '%s\n' "$name"
    }
    for name in "$@"; do
        visit "$name"
    done
}
