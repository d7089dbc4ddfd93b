#!/usr/bin/env bash
# bench: CPU seconds per million events of the score role, beside a pass-through that writes as many bytes in as many
# transactions (stream_bound.c), against a real Kafka in the same run. REASONS=0 and 3; aims: 1.35 and 1.6 times the bound.
# Environment: BIN, BENCH_BIN (set by make bench); EVENTS (1000000), ROUNDS (3); KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
events=${EVENTS:-1000000} rounds=${ROUNDS:-3}
# shellcheck source=tests/bench/stage
. "$(dirname "$0")/stage"
fill_input "$events"

score() { # GROUP REASONS → CPU seconds
    TIMEFORMAT='%3U %3S'
    { time "$BIN/scorer" run --roles=score,http --http-listen=127.0.0.1:0 --group-id "$1" --instance-id bench \
        --reasons "$2" --exit-at-end --log-level error 2>"$work/log"; } 2>&1 | awk 'END { print $1 + $2 }'
}
bytes() { # mean size of the values of the output topic so far
    kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -C -t "$OUTPUT_TOPIC" -e -q -o "-$1" -c "$1" -f '%S\n' 2>/dev/null |
        awk '{ s += $1 } END { printf "%d", s / NR }'
}
declare -A best size
for reasons in 0 3; do
    score "$run-warm-$reasons" "$reasons" >/dev/null
    size[$reasons]=$(bytes 1000)
done
for ((round = 1; round <= rounds; round++)); do
    for reasons in 0 3; do
        for who in bound score; do
            if [ $who = bound ]; then
                seconds=$("$BENCH_BIN/stream_bound" "$KAFKA_BOOTSTRAP_SERVERS" "$INPUT_TOPIC" "$OUTPUT_TOPIC" \
                    "$run-bound-$reasons-$round" "$events" "${size[$reasons]}")
            else
                seconds=$(score "$run-score-$reasons-$round" "$reasons")
            fi
            best[$who$reasons]=$(awk -v a="${best[$who$reasons]:-1e9}" -v b="$seconds" 'BEGIN { print a < b ? a : b }')
        done
    done
done
for reasons in 0 3; do
    awk -v b="${best[bound$reasons]}" -v s="${best[score$reasons]}" -v n="$events" -v r="$reasons" -v z="${size[$reasons]}" \
        'BEGIN { printf "REASONS=%d  pass-through %.2f, scorer %.2f CPU s per million events (%d bytes each): ratio %.2f (aim %.2f)\n",
                 r, b / n * 1e6, s / n * 1e6, z, s / b, r ? 1.6 : 1.35 }'
done
