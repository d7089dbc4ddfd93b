#!/usr/bin/env bash
# bench: what a backfill does to live events that it runs beside, on a real Kafka with one scorer: p50 and p99 from sending until a reader
# of committed records has the prediction, alone and beside the backfill with each lever: `--rate`, a topic and scorer of its own, none.
# Aim: p99 less than doubled. Each has a topic and a scorer that begin with nothing; the first row alone is repeated at the end.
# Environment: BIN, BENCH_BIN (set by make bench); RATE (500), SECONDS_LONG (20), ROWS (2000000), BACKFILL_RATE (20000), LEVERS ("alone rate own
# none alone"); KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
rate=${RATE:-500} long=${SECONDS_LONG:-20} rows=${ROWS:-2000000} backfill_rate=${BACKFILL_RATE:-20000} levers=${LEVERS:-alone rate own none alone}
# shellcheck source=tests/bench/stage
. "$(dirname "$0")/stage"
fill_input $((rate * long))
# Employees of their own: the probe knows its events by their keys.
"$BIN/producer" generate --count "$rows" --seed 3 --out - --log-level error | sed 's/^E0/B0/' >"$work/people.csv"

scorer() { # TOPIC
    "$BIN/scorer" run --roles=score,http --http-listen=127.0.0.1:0 --instance-id "$1" --group-id "$1" --input-topic "$1" --log-level error >"$work/scorer" 2>&1 &
    running="$running $!"
}
stop() {
    for process in $running; do kill "$process" 2>/dev/null || true; done
    for process in $running; do wait "$process" 2>/dev/null || true; done
}
measure() { # LEVER TOPIC
    local topic=$2 running='' options=(--input-topic "$2")
    for made in "$topic" "$topic-own"; do "$BIN/scorer" check --roles=score --create-topics --input-topic "$made" --group-id "$made" >/dev/null 2>&1 || true; done
    scorer "$topic"
    case $1 in
    rate) options+=(--rate "$backfill_rate") ;;
    own)
        options=(--input-topic "$topic-own")
        scorer "$topic-own"
        ;;
    esac
    sleep 8
    if [ "$1" != alone ]; then
        "$BIN/producer" backfill "$work/people.csv" "${options[@]}" --log-level error >"$work/sent" 2>&1 &
        running="$running $!"
        sleep 2
    fi
    started=$running
    "$BENCH_BIN/latency_probe" "$KAFKA_BOOTSTRAP_SERVERS" "$INPUT_TOPIC" "$topic" "$rate" "$long" "$OUTPUT_TOPIC" >"$work/delays"
    stop
    read -r p50 p99 _ <"$work/delays"
    [ "$1" != alone ] || alone=${alone:-$p99}
    awk -v l="$1" -v p="$p50" -v q="$p99" -v a="${alone:-0}" -v r="$rate" 'BEGIN { printf "%-6s %d live events/s: p50 %.1f ms, p99 %.1f ms", l, r, p, q; if (a) printf ": ratio %.2f (aim 2)", q / a; print "" }'
}
number=0
for lever in $levers; do
    number=$((number + 1))
    measure "$lever" "$run-live-$number"
done
