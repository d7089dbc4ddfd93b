#!/usr/bin/env bash
# bench: what current records and alerts cost the score role on a real Kafka: CPU seconds per million whole events without records, with them,
# with alerts too, and of partial events of three attributes; then how long a killed scorer takes to have all records again, from the topic
# and from local snapshots. Aims: records and alerts 1.5 times without, partial events no dearer than whole ones, restored within 10 s and
# within 1 s a million. Environment: BIN, BENCH_BIN (set by make bench); EMPLOYEES (1000000); KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
employees=${EMPLOYEES:-1000000}
# shellcheck source=tests/bench/stage
. "$(dirname "$0")/stage"
"$BIN/producer" generate --count "$employees" --seed 0 --log-level error >/dev/null # each once
options=("--roles=score,http" --instance-id bench --log-level error)
score() { # GROUP OPTION… → CPU seconds
    local group=$1
    shift
    TIMEFORMAT='%3U %3S'
    { time "$BIN/scorer" run "${options[@]}" --http-listen=127.0.0.1:0 --group-id "$group" --exit-at-end "$@" 2>"$work/log"; } 2>&1 | awk 'END { print $1 + $2 }'
}
snapshots=$work/snapshots whole=(--state-topic "$run-state" --alert-topic "$run-alerts")
score "$run-warm" --state-topic none >/dev/null
without=$(score "$run-none" --state-topic none)
records=$(score "$run-records" --alert-topic none)
"$BIN/scorer" check --roles=score --create-topics --group-id "$run-whole" "${whole[@]}" >/dev/null 2>&1 || true
alerts=$(score "$run-whole" "${whole[@]}")

# The same employees, each with three attributes.
"$BIN/producer" generate --count "$((employees < 200000 ? employees : 200000))" --seed 0 --out "$work/all.csv" --log-level error
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(EmployeeNumber|Age|DistanceFromHome|MonthlyIncome)$/) keep[++n] = i }
         { line = $keep[1]; for (i = 2; i <= n; i++) line = line "," $keep[i]; print line }' "$work/all.csv" >"$work/part.csv"
changed=$(($(wc -l <"$work/part.csv") - 1))
"$BIN/producer" backfill "$work/part.csv" --partial --group-id "$run-whole" --state-topic "$run-state" --log-level error >/dev/null
partial=$(score "$run-whole" "${whole[@]}")
start=$(score "$run-whole" "${whole[@]}") # the same without events
awk -v n="$employees" -v c="$changed" -v w="$without" -v r="$records" -v a="$alerts" -v p="$partial" -v s="$start" 'BEGIN {
    m = 1e6 / n
    printf "CPU s per million events: without records %.2f, with %.2f (%.2f times), with alerts too %.2f (%.2f times, aim 1.50)\n", w * m, r * m, r / w, a * m, a / w
    printf "partial events of three attributes %.2f (%.2f times whole ones, aim 1)\n", (p - s) * 1e6 / c, (p - s) / c * n / a }'

restore() { # NAME OPTION… : the log line of the restored records, then kill -9
    local name=$1 pid
    shift
    "$BIN/scorer" run "${options[@]}" --log-level info --http-listen=127.0.0.1:0 --group-id "$run-whole" "${whole[@]}" "$@" 2>"$work/$name.log" &
    pid=$!
    started+=" $pid"
    timeout 300 sh -c "until grep -q 'records read in' '$work/$name.log'; do sleep 0.2; done"
    [ "$name" != first ] || timeout 120 sh -c "until [ \$(ls '$snapshots' | grep -c 'snapshot\$') -ge 4 ] && ! ls '$snapshots' | grep -q tmp; do sleep 0.5; done"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    echo "$name: $(sed -n 's/.*: \([0-9]* current records\)/\1/p' "$work/$name.log" | head -1)"
}
restore topic
restore first --state-snapshot-dir "$snapshots"
restore snapshot --state-snapshot-dir "$snapshots"
