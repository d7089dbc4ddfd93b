#!/usr/bin/env bash
# Proves that the faults on purpose catch what they are for: each sabotage (tests/sabotage/NAME.patch, or settings that promise less)
# is built from the last commit in a worktree of its own and run by tests/system/test_faults.py, which must find lost, doubled or
# unordered events. A patch that does not apply any more has to be written again. From the project's root, `make sabotage` runs all.
# usage: tests/sabotage.sh [NAME…]     names: as the patches, and at-least-once
# Environment: that of the system tests (make sabotage sets it); FAULTS_SEED, FAULTS_INJECTIONS.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$(mktemp -d /tmp/attrition-sabotage.XXXXXX)
trap 'git -C "$root" worktree remove --force "$work/tree" 2>/dev/null || true; rm -rf "$work"' EXIT
logs=${LOGS:-$root/build/test-logs}
mkdir -p "$logs"

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$here/sabotage" && basename -s .patch -- *.patch)
    names+=(at-least-once)
fi
git -C "$root" worktree add -q --detach "$work/tree" HEAD
caught=0
for name in "${names[@]}"; do
    settings='' log=$logs/sabotage-$name.log
    git -C "$work/tree" checkout -q .
    if [ "$name" = at-least-once ]; then
        settings=DELIVERY=at-least-once
    else
        git -C "$work/tree" apply -C1 --recount "$here/sabotage/$name.patch" || { echo "not ok - $name: its patch does not apply any more"; continue; }
    fi
    make -s -C "$work/tree" FLAVOUR=faults ${CC:+CC="$CC"} build/faults/bin/scorer >"$log" 2>&1 || { echo "not ok - $name: it does not build, see $log"; continue; }
    begun=$SECONDS
    FAULTS_SETTINGS=$settings FAULTS_BIN=$work/tree/build/faults/bin "$root/tests/system/test_faults.py" >>"$log" 2>&1 || true
    if found=$(grep -E '^not ok - seed [0-9]+: lost' "$log"); then
        caught=$((caught + 1))
        echo "ok - $name is caught after $((SECONDS - begun)) s: ${found:0:300}"
    else
        echo "not ok - $name is not caught, see $log"
    fi
done
echo "$caught of ${#names[@]} caught"
[ "$caught" -eq ${#names[@]} ]
