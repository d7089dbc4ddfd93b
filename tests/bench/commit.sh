#!/usr/bin/env bash
# bench: what commits cost, one worker, a commit every 100 ms, on a real Kafka. Wall time of exactly-once beside at-least-once in
# alternating pairs (aim 1.1 times); and at RATE events a second, how long until a reader of committed records has the result,
# beside a pass-through that reads the same events at the same time (aim 1.2 times, p50 and p99). The pass-through is that of
# $SHARED/peers where it is there, else stream_bound.c. The start, measured on a topic of one event, is taken off the wall times.
# WARM (3) pairs go before and count for nothing: until then the broker's Java compiles what transactions run, on the same cores.
# Environment: BIN, BENCH_BIN (set by make bench); EVENTS (1000000), WARM, PAIRS (4), RATE (2000), SECONDS_LONG (20), PARTS ("wall
# latency"); KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
events=${EVENTS:-1000000} warm=${WARM:-3} pairs=${PAIRS:-4} rate=${RATE:-2000} long=${SECONDS_LONG:-20} parts=${PARTS:-wall latency}
# shellcheck source=tests/bench/stage
. "$(dirname "$0")/stage"
export COMMIT_INTERVAL=100ms
for topic in "$run-live" "$run-none"; do # with an event, so that they exist
    INPUT_TOPIC=$topic "$BIN/producer" generate --count 1 --seed 7777 --log-level error >/dev/null
done
fill_input "$events"
if [ -f "${SHARED:-/none}/peers/c/passthru.c" ]; then
    cc -O2 -o "$work/pass" "$SHARED/peers/c/passthru.c" -lrdkafka
    pass() { exec "$work/pass" "$KAFKA_BOOTSTRAP_SERVERS" "$1" "$2" "$3" "$4" txn "$5" 100; }
else
    pass() { exec "$BENCH_BIN/stream_bound" "$KAFKA_BOOTSTRAP_SERVERS" "$1" "$2" "$3" "$4" "$5"; }
fi
options=("--roles=score,http" --http-listen=127.0.0.1:0 --instance-id bench --log-level error)
measure() { # DELIVERY INPUT GROUP → wall and CPU seconds
    TIMEFORMAT='%3R %3U %3S'
    { time "$BIN/scorer" run "${options[@]}" --delivery "$1" --input-topic "$2" --group-id "$3" --exit-at-end 2>"$work/log"; } 2>&1 | awk 'END { print $1, $2 + $3 }'
}
least() { awk -v a="${1:-1e9}" -v b="$2" 'BEGIN { print a < b ? a : b }'; }

if [[ " $parts " == *" wall "* ]]; then
    declare -A wall cpu none
    for ((pair = -warm; pair < pairs; pair++)); do
        for how in exactly-once at-least-once; do
            read -r seconds used < <(measure $how "$INPUT_TOPIC" "$run-$how-$pair")
            ((pair >= 0)) || continue
            wall[$how]=$(least "${wall[$how]:-}" "$seconds")
            cpu[$how]=$(least "${cpu[$how]:-}" "$used")
            read -r seconds used < <(measure $how "$run-none" "$run-$how-none-$pair")
            none[$how]=$(least "${none[$how]:-}" "$seconds")
        done
    done
    awk -v e="${wall[exactly-once]}" -v a="${wall[at-least-once]}" -v en="${none[exactly-once]}" -v an="${none[at-least-once]}" \
        -v ec="${cpu[exactly-once]}" -v ac="${cpu[at-least-once]}" -v n="$events" -v p="$pairs" 'BEGIN {
        printf "exactly-once %.2f s, at-least-once %.2f s for %d events (least of %d; start of %.2f and %.2f s off): ratio %.2f (aim 1.10)\n",
            e - en, a - an, n, p, en, an, (e - en) / (a - an)
        printf "CPU s per million events: exactly-once %.2f, at-least-once %.2f\n", ec / n * 1e6, ac / n * 1e6 }'
fi
if [[ " $parts " == *" latency "* ]]; then
    "$BIN/scorer" run "${options[@]}" --input-topic "$run-live" --group-id "$run-live" >"$work/scorer" 2>&1 &
    started=$!
    pass "$run-live" "$run-passed" "$run-pass" $((rate * long + 1)) 400 >"$work/passed" 2>"$work/pass.log" &
    started="$started $!"
    kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -L -t "$run-passed" >/dev/null
    sleep 8
    "$BENCH_BIN/latency_probe" "$KAFKA_BOOTSTRAP_SERVERS" "$INPUT_TOPIC" "$run-live" "$rate" "$long" "$OUTPUT_TOPIC" "$run-passed" |
        awk -v r="$rate" '{ p50[NR] = $1; p99[NR] = $2 } END {
            printf "at %d events/s, read_committed: scorer p50 %.1f ms, p99 %.1f ms; pass-through %.1f, %.1f: ratios %.2f and %.2f (aim 1.20)\n",
                r, p50[1], p99[1], p50[2], p99[2], p50[1] / p50[2], p99[1] / p99[2] }'
fi
