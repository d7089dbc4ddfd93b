#!/usr/bin/env bash
# Proves that the tests catch what they are for: each sabotage (tests/sabotage/NAME.patch) is built from the last commit in a worktree
# of its own, and must be caught three times: by the comparison of tests/system/test_faults.py, by `scorer audit`, and by the
# simulation (tests/sim). The control is the same without a patch, and must pass all three. A patch that does not apply any more has
# to be written again. From the project's root, `make sabotage` runs all and prints a table.
# usage: tests/sabotage.sh [NAME…]     names: as the patches, and control
# Environment: that of the system tests (make sabotage sets it); SABOTAGE_JOBS (2): cases at once; SABOTAGE_SECONDS (400): the longest a
# case may take; FAULTS_SEED (278), FAULTS_INJECTIONS (5). Brokers are not hurt, the network to them is.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$(mktemp -d /tmp/sabotage.XXXX)
chmod 711 "$work"
jobs=${SABOTAGE_JOBS:-2} longest=${SABOTAGE_SECONDS:-400}
logs=$(realpath -m "${LOGS:-$root/build/test-logs}")
export FAULTS_SEED=${FAULTS_SEED:-278} FAULTS_INJECTIONS=${FAULTS_INJECTIONS:-5} LOGS=$logs
export FAULTS_KINDS='kill,kill at point,guest,kill backends,meddle' FAULTS_RELAY=1 FAULTS_RATE=400
mkdir -p "$logs"

remove() { # The worktrees; TERM lets a test end its servers
    local child
    for child in $(jobs -p); do kill -TERM "$child" 2>/dev/null || true; done
    wait
    for tree in "$work"/*/; do git -C "$root" worktree remove --force "$tree" 2>/dev/null || true; done
    rm -rf "$work"
}
trap remove EXIT

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(echo control; cd "$here/sabotage" && basename -s .patch -- *.patch)
fi

prepare() { # NAME: worktree, patch and build
    git -C "$root" worktree add -q --detach "$work/$1" HEAD
    [ "$1" = control ] || git -C "$work/$1" apply -C1 --recount --unidiff-zero "$here/sabotage/$1.patch" || return
    make -s -C "$work/$1" ${CC:+CC="$CC"} FLAVOUR=faults build/faults/bin/scorer
    make -s -C "$work/$1" ${CC:+CC="$CC"} build/release/tests/sim/sim
}

result() { # LOG OK NOT-OK: what a log says of one of the three
    grep -qE "^not ok - $3" "$1" && { echo caught; return; }
    grep -qE "^ok - $2" "$1" && { echo clean; return; }
    echo 'no result'
}

try() { # NAME: a line of the table in $work/NAME.row; status 0 as wanted
    local name=$1 log=$logs/sabotage-$1.log begun=$SECONDS wanted=caught compared audited simulated what='' status=ok test=''
    trap '[ -z "$test" ] || { kill -TERM "$test" && wait "$test"; }; exit 1' TERM
    [ "$name" != control ] || wanted=clean
    if ! prepare "$name" >"$log" 2>&1; then
        printf 'not ok\t%s\tdoes not apply or does not build\t-\t-\t-\tsee %s\n' "$name" "$log" >"$work/$name.row"
        return
    fi
    (cd "$work/$name" && SIM_STOP=1 SIM_SECONDS=20 build/release/tests/sim/sim) >"$log.sim" 2>&1 || true
    # LAB_DIR: away from other tests of this machine.
    for _ in 1 2; do # status 3: the surroundings failed, nothing is known
        LAB_DIR=$work FAULTS_BIN=$work/$name/build/faults/bin timeout --kill-after=30 "$longest" "$work/$name/tests/system/test_faults.py" >"$log" 2>&1 &
        test=$!
        if wait "$test" || [ $? -ne 3 ]; then break; fi
    done
    compared=$(result "$log" "seed [0-9]+: lost" "seed [0-9]+: lost")
    audited=$(result "$log" "audit clean" "audit clean")
    simulated=$(result "$log.sim" "[0-9]+ seeds" "[0-9]+ seeds")
    [ "$compared$audited$simulated" = "$wanted$wanted$wanted" ] || status='not ok'
    what=$(sed -nE 's/^not ok - seed [0-9]+: lost.*: found (.*), wanted none$/\1/p' "$log" | head -n 1 | cut -c1-80)
    printf '%s\t%s\t%s\t%s\t%s\t%d s\t%s\n' "$status" "$name" "$compared" "$audited" "$simulated" $((SECONDS - begun)) "${what:--}" >"$work/$name.row"
    # The worktree of a finished case is large.
    git -C "$root" worktree remove --force "$work/$name"
}

for name in "${names[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    try "$name" &
done
wait
{
    printf '\tsabotage\tcompared\taudit\tsimulation\ttime\twhat the comparison found\n'
    for name in "${names[@]}"; do cat "$work/$name.row" 2>/dev/null || printf 'not ok\t%s\tno result\t-\t-\t-\tsee %s\n' "$name" "$logs/sabotage-$name.log"; done
} | tee "$work/table" | column -t -s $'\t'
bad=$(grep -c '^not ok' "$work/table" || true)
echo "$((${#names[@]} - bad)) of ${#names[@]} as wanted"
[ "$bad" -eq 0 ]
