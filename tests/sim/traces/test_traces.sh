#!/usr/bin/env bash
# The simulation gives the answers that a real Kafka gave: the scenarios of scenarios.c print the same lines as are kept here.
# SIM_SIMULATED names the program (make test-sim sets it).
set -uo pipefail

kept=$(dirname "$0")/kafka-4.4.txt
found=$(mktemp)
trap 'rm -f "$found"' EXIT
"$SIM_SIMULATED" >"$found" || echo "it ended with status $?" >>"$found"
if diff -u --label 'a real Kafka' --label 'the simulation' "$kept" "$found"; then
    echo "ok - the simulated broker answers $(wc -l <"$kept") lines of conversation as a real one does"
else
    echo 'not ok - the simulated broker answers otherwise than a real one (see above)'
    exit 1
fi
