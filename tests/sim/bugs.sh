#!/usr/bin/env bash
# Puts each bug that was once found back in, and counts how many seeds of the simulation it takes to find it again.
# A bug is a patch: those of tests/sim/bugs, of issue 11 by their number there, and those of tests/sabotage. Each is applied
# to a copy of the tree in build/sim-bugs; the unpatched copy must pass as many seconds of seeds as it is given below.
# A patch that does not apply any more has to be written again. From the project's root: make sim-bugs [BUGS='NAME…']
# Environment: SIM_SECONDS (most for each bug, 600), SIM_JOBS, CLEAN_SECONDS (for the unpatched copy, 20), CC.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$root/build/sim-bugs/tree
logs=$root/build/sim-bugs
most=${SIM_SECONDS:-600}
export GIT_CEILING_DIRECTORIES=$logs # git apply takes the copy for no part of this repository

patch_of() { # NAME
    find "$root/tests/sim/bugs" "$root/tests/sabotage" -name "$1.patch"
}

build() { # LOG
    make -s -C "$tree" ${CC:+CC="$CC"} WERROR= build/release/tests/sim/sim >"$1" 2>&1
}

simulate() { # LOG NAME=VALUE…
    local log=$1
    shift
    (cd "$tree" && env "$@" build/release/tests/sim/sim) >>"$log" 2>&1
}

row() { printf '%-7s %-30s %8s %8s  %s\n' "$@"; }

# The first line that names a seed, and how many seeds that took.
found() { # NAME LOG
    local line seeds seconds
    line=$(grep -m1 '^seed [0-9]*: ' "$2")
    read -r seeds _ _ seconds _ < <(grep -E '^[0-9]+ seeds in ' "$2")
    row found "$1" "$seeds" "$seconds" "$line"
}

put_back() { # NAME
    local name=$1 log=$logs/$1.log delivery=exactly-once patch=
    rm -f "$log"
    if [ "$name" = no-transaction ]; then
        delivery=at-least-once
    else
        patch=$(patch_of "$name")
        if [ -z "$patch" ] || ! git -C "$tree" apply -C1 --recount "$patch" 2>"$log"; then
            row 'NOT OK' "$name" - - 'there is no such patch, or it does not apply any more'
            return 1
        fi
    fi
    local status=0
    if ! build "$log"; then
        row 'NOT OK' "$name" - - "it does not build, see $log"
        status=1
    elif simulate "$log" SIM_STOP=1 SIM_SECONDS="$most" SIM_DELIVERY="$delivery"; then
        row MISSED "$name" "$(sed -nE 's/^([0-9]+) seeds in .*/\1/p' "$log")" "$most" 'no seed has found it'
        status=1
    else
        found "$name" "$log"
    fi
    [ -z "$patch" ] || git -C "$tree" apply -R -C1 --recount "$patch"
    return $status
}

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(find "$root/tests/sim/bugs" "$root/tests/sabotage" -name '*.patch' -exec basename -s .patch {} + | sort -V)
    names+=(no-transaction)
fi
rm -rf "$tree"
mkdir -p "$tree"
tar -C "$root" --exclude='./build*' --exclude=./.git -c . | tar -C "$tree" -x
build "$logs/build.log" || { echo "not ok - the copy does not build, see $logs/build.log"; exit 1; }
rm -f "$logs/none.log"
simulate "$logs/none.log" SIM_SECONDS="${CLEAN_SECONDS:-20}" || { echo "not ok - without a bug there is a violation, see $logs/none.log"; exit 1; }

missed=0
row '' bug seeds seconds 'what the first seed that found it says'
row '' none "$(sed -nE 's/^([0-9]+) seeds in .*/\1/p' "$logs/none.log")" "${CLEAN_SECONDS:-20}" 'no violation'
for name in "${names[@]}"; do put_back "$name" || missed=$((missed + 1)); done
echo "$([ "$missed" -eq 0 ] && echo ok || echo 'not ok') - ${#names[@]} bugs put back, $missed not found"
[ "$missed" -eq 0 ]
