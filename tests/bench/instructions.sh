#!/usr/bin/env bash
# bench: instructions of the hot paths, a unit (event, row, record) each, beside the kept figures of instructions.txt.
# Counted by callgrind, which knows AVX2 at most: the same on a busy machine as on an idle one, but not beside another compiler or C library.
# A report, no gate. `instructions.sh NAME…` counts only these; `instructions.sh keep` replaces the kept figures.
set -eu
BENCH_BIN=${BENCH_BIN:-build/release/tests/bench}
kept=tests/bench/instructions.txt
command -v valgrind >/dev/null || { echo "instructions: not counted, there is no valgrind (apt-get install valgrind)"; exit 0; }
keep=
[ "${1:-}" != keep ] || { keep=1; shift; }
if [ $# -eq 0 ]; then
    mapfile -t rows < <("$BENCH_BIN/instructions_probe")
    set -- "${rows[@]}"
fi
work=$(mktemp -d /tmp/attrition-bench-XXXXXX)
trap 'rm -rf "$work"' EXIT

for name in "$@"; do
    units=$(valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=/dev/null "$BENCH_BIN/instructions_probe" "$name" 2>"$work/log") ||
        { cat "$work/log" >&2; exit 1; }
    awk -v name="$name" -v units="$units" '/Collected/ { printf "%s %.0f\n", name, $NF / units }' "$work/log" >>"$work/now"
done

if [ "$keep" ]; then
    { sed '/^[^#]/d' "$kept"; cat "$work/now"; } >"$work/kept"
    cp "$work/kept" "$kept"
fi
awk 'BEGIN { printf "%-24s %12s %12s %8s\n", "instructions a unit", "kept", "now", "ratio" }
     NR == FNR { if ($0 !~ /^#/) kept[$1] = $2; next }
     { if ($1 in kept) printf "%-24s %12d %12d %8.3f\n", $1, kept[$1], $2, $2 / kept[$1]; else printf "%-24s %12s %12d\n", $1, "-", $2 }' "$kept" "$work/now"
