#!/usr/bin/env bash
# Holds the scenarios on a real, fresh Kafka against the kept lines; RECORD=1 keeps the new ones instead. From the project's
# root: make sim-traces. SIM_REAL names the program, BROKER_JARS the broker's jars (make sets both).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/attrition-traces.XXXXXX)
stop() {
    "$here/../../../deploy/kafka/broker" stop "$work/kafka" >"$work/stop.log" 2>&1 || cat "$work/stop.log"
    rm -rf "$work"
}
trap stop EXIT
# The coordinator looks for old transactions more often than every ten seconds; groups wait for no second member.
address=$("$here/../../../deploy/kafka/broker" start "$work/kafka" transaction.abort.timed.out.transaction.cleanup.interval.ms=500 \
    group.initial.rebalance.delay.ms=0 | tail -n 1)
"$SIM_REAL" "$address" >"$work/found.txt" 2>"$work/client.log" || { cat "$work/client.log"; echo 'not ok - the scenarios did not come to their end'; exit 1; }
if [ "${RECORD:-}" = 1 ]; then
    cp "$work/found.txt" "$here/kafka-4.4.txt"
    echo "ok - $(wc -l <"$work/found.txt") lines kept"
elif diff -u --label 'kept' --label "$address" "$here/kafka-4.4.txt" "$work/found.txt"; then
    echo 'ok - a real Kafka answers as it did when the lines were kept'
else
    echo 'not ok - a real Kafka answers otherwise than when the lines were kept (see above)'
    exit 1
fi
