#!/usr/bin/env bash
# bench: a CSV to acknowledged, validated Avro on a real Kafka, beside kcat that sends the same bytes ready-made (aim: as fast), and a
# Python script with confluent-kafka and fastavro (backfill_rival.py; aim 15 times as fast); a gzip file beside zcat and a pipe; the
# memory of backfill by the number of rows. Wall time with the start, in turns, the least of ROUNDS.
# Environment: BIN, BENCH_BIN (set by make bench); VENV for the rival (without it: left out); ROWS (400000), ROUNDS (2),
# SIZES ("10000 100000 1000000"; "" for none): rows whose memory is measured; KAFKA_BOOTSTRAP_SERVERS uses that Kafka.
set -euo pipefail
rows=${ROWS:-400000} rounds=${ROUNDS:-2} sizes=${SIZES-10000 100000 1000000}
# shellcheck source=tests/bench/stage
. "$(dirname "$0")/stage"
export DELIVERY=exactly-once
python=${VENV:-build/venv}/bin/python delimiter=$'\x01\xfe\x02\xfd' key=$'\x02\xfd\x03\xfc'
"$BIN/producer" generate --count "$rows" --seed 1 --out "$work/people.csv" --log-level error 2>/dev/null
gzip -1 -k "$work/people.csv"
head -n $((rows / 10 + 1)) "$work/people.csv" >"$work/tenth.csv"

backfill() { "$BIN/producer" backfill "$work/people.csv" --log-level error --input-topic "$run-$1" >"$work/sent"; }
ready_made() { kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -P -t "$run-kcat" -X enable.idempotence=true -D "$delimiter" -K "$key" -l "$work/values"; }
rival() { "$python" tests/bench/backfill_rival.py "$work/tenth.csv" "$run-rival"; }
from_gzip() { "$BIN/producer" backfill --dry-run "$work/people.csv.gz" --log-level error >/dev/null 2>&1; }
from_zcat() { zcat "$work/people.csv.gz" | "$BIN/producer" backfill --dry-run - --log-level error >/dev/null 2>&1; }
seconds() { # COMMAND…
    TIMEFORMAT=%3R
    { time "$@" 2>"$work/log"; } 2>&1 || { cat "$work/log" >&2; exit 1; }
}
declare -A least
measure() { # NAME COMMAND…
    local name=$1 found
    shift
    found=$(seconds "$@")
    least[$name]=$(awk -v a="${least[$name]:-1e9}" -v b="$found" 'BEGIN { print a < b ? a : b }')
}

# A Kafka that was given may not make topics by itself.
topics=("$run-ready" "$run-kcat" "$run-rival")
for ((round = 0; round < rounds; round++)); do topics+=("$run-round-$round"); done
for size in $sizes; do topics+=("$run-$size"); done
for topic in "${topics[@]}"; do "$BIN/scorer" check --roles=score --create-topics --input-topic "$topic" >/dev/null 2>&1 || true; done

backfill ready # its values are those that kcat sends
kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -C -e -q -t "$run-ready" -f "%k$key%s$delimiter" >"$work/values"
for ((round = 0; round < rounds; round++)); do
    measure backfill backfill "round-$round"
    measure kcat ready_made
    [ ! -x "$python" ] || measure rival rival
    measure gzip from_gzip
    measure zcat from_zcat
done
sent=$(kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -C -e -q -t "$run-kcat" -f '.' | wc -c)
[ "$sent" -eq $((rows * rounds)) ] || echo "kcat sent $sent records, not $((rows * rounds)): its figure does not count"
awk -v n="$rows" -v b="${least[backfill]}" -v k="${least[kcat]}" -v r="${least[rival]:-0}" -v g="${least[gzip]}" -v z="${least[zcat]}" 'BEGIN {
    printf "%d rows from CSV to acknowledged Avro: %.0f rows/s; kcat, the same bytes ready-made: %.0f: ratio %.2f (aim 1)\n", n, n / b, n / k, k / b
    if (r) printf "Python with fastavro: %.0f rows/s: ratio %.1f (aim 15)\n", n / 10 / r, r * 10 / b
    printf "gzip, dry run: %.2f s; zcat and a pipe: %.2f s: ratio %.2f (aim 1)\n", g, z, g / z }'

for size in $sizes; do
    mkfifo "$work/pipe"
    "$BIN/producer" generate --count "$size" --seed 2 --out - --log-level error >"$work/pipe" 2>/dev/null &
    started="$started $!"
    "$BIN/producer" backfill - --log-level error --input-topic "$run-$size" <"$work/pipe" >/dev/null 2>&1 &
    backfilling=$! peak=0
    while found=$(awk '/^VmHWM/ { print $2 }' "/proc/$backfilling/status" 2>/dev/null) && [ -n "$found" ]; do
        peak=$found
        sleep 0.05
    done
    wait "$backfilling"
    rm "$work/pipe"
    echo "memory of $size rows: $((peak / 1024)) MiB"
done
