#!/usr/bin/env bash
# bench: CPU seconds per million events of the score role, beside a pass-through that writes as many bytes in as many
# transactions (stream_bound.c), against a real Kafka in the same run. REASONS=0 and 3; aims: 1.35 and 1.6 times the bound.
# Environment: BIN, BENCH_BIN (set by make bench); EVENTS (1000000), ROUNDS (3); KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
BIN=$(realpath "${BIN:-build/bin}")
BENCH_BIN=$(realpath "${BENCH_BIN:-build/release/tests/bench}")
events=${EVENTS:-1000000}
rounds=${ROUNDS:-3}
work=$(mktemp -d /tmp/attrition-stream-XXXXXX)
own_broker=
finish() {
    [ -z "$own_broker" ] || deploy/kafka/broker stop "$work/kafka" --wipe >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
if [ -z "${KAFKA_BOOTSTRAP_SERVERS:-}" ]; then
    deploy/kafka/broker fetch
    own_broker=1
    KAFKA_BOOTSTRAP_SERVERS=$(deploy/kafka/broker start "$work/kafka" $((20000 + RANDOM % 10000)) auto.create.topics.enable=true num.partitions=4 | tail -1)
fi
export KAFKA_BOOTSTRAP_SERVERS MLFLOW_TRACKING_URI=$work/mlruns STATE_DIR=$work
run=$$
export INPUT_TOPIC=bench-$run-in OUTPUT_TOPIC=bench-$run-out DLQ_TOPIC=bench-$run-dlq OUTCOME_TOPIC=bench-$run-outcomes
"$BIN/producer" generate --count 2000 --seed 1 --out "$work/train.csv" --log-level error
"$BIN/trainer" train "$work/train.csv" --model logistic-regression-l2 >/dev/null
for ((done = 0; done < events; done += part)); do
    part=$((events - done < 200000 ? events - done : 200000))
    "$BIN/producer" generate --count "$part" --seed "$done" --log-level error >/dev/null
done

score() { # GROUP REASONS → CPU seconds
    TIMEFORMAT='%3U %3S'
    { time "$BIN/scorer" run --roles=score,http --http-listen=127.0.0.1:0 --group-id "$1" --instance-id bench \
        --reasons "$2" --exit-at-end --log-level error 2>"$work/log"; } 2>&1 | awk 'END { print $1 + $2 }'
}
bytes() { # mean size of the values of the output topic so far
    kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -C -t "$OUTPUT_TOPIC" -e -q -o "-$1" -c "$1" -f '%S\n' 2>/dev/null |
        awk '{ s += $1 } END { printf "%d", s / NR }'
}
"$BIN/scorer" check --roles=score --create-topics >/dev/null 2>&1 || true
declare -A best size
for reasons in 0 3; do
    score "bench-$run-warm-$reasons" "$reasons" >/dev/null
    size[$reasons]=$(bytes 1000)
done
for ((round = 1; round <= rounds; round++)); do
    for reasons in 0 3; do
        for who in bound score; do
            if [ $who = bound ]; then
                seconds=$("$BENCH_BIN/stream_bound" "$KAFKA_BOOTSTRAP_SERVERS" "$INPUT_TOPIC" "$OUTPUT_TOPIC" \
                    "bench-$run-bound-$reasons-$round" "$events" "${size[$reasons]}")
            else
                seconds=$(score "bench-$run-score-$reasons-$round" "$reasons")
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
