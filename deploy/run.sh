#!/usr/bin/env bash
# `make run`: employees in, attrition risks out. Starts what is not given (a broker in memory, a private PostgreSQL),
# trains a model if there is none, scores the employees of DATA (or synthetic ones) and says what came of every event.
# Called by deploy/run.mk after packages and programs are there. Variables: BIN, DATA, ONCE, CALLED_FROM, and those of
# the programs (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL, MODEL_URI, …). Whatever it starts it also ends, on every way out.
# shellcheck disable=SC2317 # the trap and wait_for call functions that shellcheck takes for unreachable
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
bin=${BIN:-build/bin}
synthetic_employees=5000
stall_limit_s=${STALL_LIMIT:-60}
events_per_partition=6000 # what the embedded broker's 5 MiB a partition hold of predictions, with room to spare
partitions_most=128
work='' scorer='' broker='' postgres='' ONCE=${ONCE:-}
# What is written here is people's data, for this user alone; only models are as the user's other files.
user_umask=$(umask)
umask 077

say() { echo "$*"; }
die() { echo "run: $*" >&2; exit 1; }

# --- ends ---

is_alive() { [ -n "${1:-}" ] && grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"; }
end() { # PID SIGNAL SECONDS: asks, waits, insists
    local attempt
    is_alive "$1" || return 0
    kill "-$2" "$1" 2>/dev/null || true
    for ((attempt = 0; attempt < $3 * 20; attempt++)); do
        is_alive "$1" || return 0
        sleep 0.05
    done
    kill -KILL "$1" 2>/dev/null || true
}
cleanup() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    end "$scorer" TERM 30
    end "$broker" TERM 5
    end "$postgres" INT 20
    # 128 and more: ended by a signal, and nobody asks why.
    if [ "$status" -gt 0 ] && [ "$status" -lt 128 ] && [ -s "$work/scorer.log" ]; then
        echo "run: the last lines of the scorer's log:" >&2
        tail -n 8 "$work/scorer.log" >&2
    fi
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A child in a session of its own, so that Ctrl-C ends this script alone, which then ends them in order; it gets the
# signal itself if this script is killed.
start() { # VARIABLE SIGNAL LOG COMMAND…
    local variable=$1 signal=$2 log=$3
    shift 3
    setsid setpriv --pdeathsig "$signal" "$@" >"$log" 2>&1 </dev/null &
    printf -v "$variable" %s $!
}
wait_for() { # SECONDS PID WHAT LOG COMMAND…: until the command succeeds
    local seconds=$1 pid=$2 what=$3 log=$4 attempt
    shift 4
    for ((attempt = 0; attempt < seconds * 20; attempt++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        if ! is_alive "$pid"; then
            tail -n 5 "$log" >&2
            die "$what ended before it was ready (see above)"
        fi
        sleep 0.05
    done
    tail -n 5 "$log" >&2
    die "$what was not ready after $seconds s (see above)"
}

# --- data and model ---

schema_target() { sed -n 's/.*"target": *{ *"name": *"\([^"]*\)".*/\1/p' "${SCHEMAS_DIR:-schemas}/employee_event.avsc"; }
first_line() { # FILE, maybe compressed
    local unpack='cat'
    case $(head -c 4 "$1" | od -An -tx1 | tr -d ' \n') in 1f8b*) unpack='zcat' ;; 28b52ffd) unpack='zstdcat' ;; esac
    { "$unpack" <"$1" 2>/dev/null || true; } | head -n 1 | tr -d '\0' | sed 's/^\xef\xbb\xbf//; s/\r$//'
}
# The trainer learns from CSV whose header has the schema's target.
is_labelled() { first_line "$1" | tr ',;|\t' '\n' | tr -d '"' | grep -xF "$(schema_target)" >/dev/null; }
sha256_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

find_data() { # sets `data` (empty: synthetic) and `rows`, at most that many events
    data=${DATA:-} rows=$synthetic_employees
    [ -n "$data" ] || return 0
    case $data in /*) ;; *) data=${CALLED_FROM:-$root}/$data ;; esac
    [ -e "$data" ] || die "DATA=$DATA: there is no such file${CALLED_FROM:+ (looked from $CALLED_FROM)}"
    if ! [ -f "$data" ] || ! [ -r "$data" ]; then die "DATA=$DATA: not a file that can be read"; fi
    [ -s "$data" ] || die "DATA=$DATA: the file is empty"
    # What could not be sent is said before anything is started.
    rows=$("$bin/producer" backfill --dry-run --rejects-file "$work/rejects" "$data" 2>"$work/dry.log" | sed -n 's/.*would be sent \([0-9]*\).*/\1/p') || true
    [ "${rows:-0}" -gt 0 ] && return 0
    grep -v ' info \|rows were rejected: they are' "$work/dry.log" >&2
    die "DATA=$DATA: no row of it could be sent as an event (see above)"
}

is_database_given() { [ -n "${DATABASE_URL:-}${DATABASE_URL_FILE:-}" ]; }

# What was given and does not answer is named in seconds, before anything is trained or started.
check_given() {
    local found
    if is_database_given; then
        found=$(PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5} sql/psql -Xqtc 'select 1' 2>&1 >/dev/null) ||
            die "the PostgreSQL of DATABASE_URL cannot be used: $(tr '\n' ' ' <<<"$found"); start it, or unset DATABASE_URL for a private one"
    fi
    if [ -z "${KAFKA_BOOTSTRAP_SERVERS:-}" ]; then
        [ "$rows" -le $((partitions_most * events_per_partition)) ] || die "$rows rows are more than the embedded broker can hold ($((partitions_most * events_per_partition))); start a real Kafka (make kafka) and set KAFKA_BOOTSTRAP_SERVERS"
        return 0
    fi
    found=$(TRACKING_TIMEOUT=${TRACKING_TIMEOUT:-3s} "$bin/scorer" check 2>/dev/null | sed -n 's/^wrong  kafka *//p' || true)
    [ -z "$found" ] || die "KAFKA_BOOTSTRAP_SERVERS=$KAFKA_BOOTSTRAP_SERVERS cannot be used: $found; start it, or unset the variable for the embedded broker"
}

generate() { # SEED FILE
    "$bin/producer" generate --count "$synthetic_employees" --seed "$1" --out "$2" >"$work/generate.log" 2>&1 ||
        { cat "$work/generate.log" >&2; die "could not generate synthetic employees (see above)"; }
}

train() { # FILE WORDS [--promote]
    local file=$1
    say "$2"
    shift 2
    (umask "$user_umask" && exec "$bin/trainer" train "$file" --model logistic-regression-l2 --max-rejects -1 "$@") || die "training failed (see above)"
    say
}

# A model is trained only for an alias, and only in a registry of our own is the alias moved: what MODEL_URI or
# MLFLOW_TRACKING_URI name belongs to somebody. An alias that nobody has is set (trainer train does that by itself).
prepare_model() {
    local uri=${MODEL_URI:-models:/attrition@production} known trained_on labelled=
    case $uri in
    models:/*@*) ;;
    *)
        TRACKING_TIMEOUT=${TRACKING_TIMEOUT:-3s} "$bin/registry" verify "$uri" >/dev/null 2>"$work/registry.log" ||
            { cat "$work/registry.log" >&2; die "MODEL_URI=$uri cannot be used (see above): name another model, or unset it for one of make run's own"; }
        return 0
        ;;
    esac
    local name=${uri#models:/} given=${MODEL_URI:+MODEL_URI}
    local alias=${name##*@}
    name=${name%@*}
    given=${given:-${MLFLOW_TRACKING_URI:+MLFLOW_TRACKING_URI}}
    export MODEL_NAME=$name MODEL_ALIAS=$alias
    if [ -n "$data" ] && is_labelled "$data"; then labelled=1; fi
    # A server that does not answer is asked four times: named in seconds.
    if known=$(TRACKING_TIMEOUT=${TRACKING_TIMEOUT:-3s} "$bin/registry" show "$name" --alias "$alias" 2>"$work/registry.log"); then
        trained_on=$(sed -n 's/^tag\.data\.sha256: //p' <<<"$known")
        if [ -z "$labelled" ] || [ "$trained_on" = "$(sha256_of "$data")" ]; then return 0; fi
        if [ -n "$given" ]; then
            say "Model:       $uri as it is; it was trained on other data than $DATA, and with $given given nothing is trained over it"
            return 0
        fi
        train "$data" "$uri was trained on other data than $DATA: training on that and promoting the new version (in ./mlruns, which is make run's own)" --promote
        return 0
    fi
    if ! grep -q 'no registered model\|has no alias\|no alias' "$work/registry.log" || [ "$given" = MODEL_URI ] || [[ ${MLFLOW_TRACKING_URI:-} == http* ]]; then
        cat "$work/registry.log" >&2
        die "$uri cannot be used (see above): train or promote a model there, or unset ${given:-MODEL_URI} for one of make run's own"
    fi
    if [ -n "$labelled" ]; then
        train "$data" "No model is registered as $uri: training one on $DATA"
    else
        generate 1 "$work/train.csv"
        train "$work/train.csv" "No model is registered as $uri: training one on $synthetic_employees synthetic employees${data:+ (DATA=$DATA has no column $(schema_target) to learn from; for real risks train on real employees)}"
    fi
}

# --- servers ---

state_topic() { echo "${STATE_TOPIC:-${GROUP_ID:-attrition-scorer}-state}"; }

start_broker() { # sets KAFKA_BOOTSTRAP_SERVERS and the delivery that goes with it
    if [ -n "${KAFKA_BOOTSTRAP_SERVERS:-}" ]; then
        say "Kafka:       $KAFKA_BOOTSTRAP_SERVERS (given), delivery ${DELIVERY:-exactly-once}"
        check_topics
        return
    fi
    local partitions topic topics=()
    partitions=$(((rows + events_per_partition - 1) / events_per_partition))
    [ "$partitions" -ge 4 ] || partitions=4
    for topic in "${INPUT_TOPIC:-employee-events}" "${OUTPUT_TOPIC:-attrition-predictions}" "${DLQ_TOPIC:-employee-events-dlq}" "${OUTCOME_TOPIC:-attrition-outcomes}" "$(state_topic)" "${ALERT_TOPIC:-attrition-alerts}"; do
        [ "$topic" != none ] || continue
        topics+=(--topic "$topic:$partitions")
    done
    start broker TERM "$work/broker.log" "$bin/embedded-broker" --address-file "$work/broker.address" "${topics[@]}"
    wait_for 20 "$broker" "the embedded broker" "$work/broker.log" test -s "$work/broker.address"
    KAFKA_BOOTSTRAP_SERVERS=$(cat "$work/broker.address")
    # Its transactions do nothing; and a fetch that waits there is not woken by a new message.
    export KAFKA_BOOTSTRAP_SERVERS DELIVERY=at-least-once KAFKA_FETCH_WAIT_MAX_MS=10
    say "Kafka:       embedded broker at $KAFKA_BOOTSTRAP_SERVERS, in memory, new for this run; $partitions partitions a topic"
    say "             delivery is at-least-once there (its transactions do nothing); a real Kafka gets exactly-once"
}

# Makes the topics that are missing; nothing else is changed.
check_topics() {
    "$bin/scorer" check --create-topics >"$work/check.log" 2>&1 && return
    cat "$work/check.log" >&2
    die "the check of Kafka, model and database failed (see above)"
}

start_postgres() { # sets DATABASE_URL where none was given
    if is_database_given; then
        private=
        say "PostgreSQL:  the one of DATABASE_URL"
    else
        private=1
        start postgres INT "$work/postgres.log" deploy/private-postgres serve "$work/pg"
        wait_for 60 "$postgres" "PostgreSQL" "$work/postgres.log" sql_ready
        DATABASE_URL=$(deploy/private-postgres url "$work/pg")
        export DATABASE_URL
        say "PostgreSQL:  private, new for this run, in $work/pg"
    fi
    sql/migrate >"$work/migrate.log" 2>&1 || { tail -n 5 "$work/migrate.log" >&2; die "could not bring the database up to date (see above)"; }
}
sql_ready() { psql -Xqtc 'select 1' "$(deploy/private-postgres url "$work/pg")"; }

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
choose_listen() { # sets HTTP_LISTEN: the default if it is free
    [ -z "${HTTP_LISTEN:-}" ] || return 0
    local port=8080
    until is_free "$port"; do port=$((20000 + RANDOM % 12000)); done
    export HTTP_LISTEN=127.0.0.1:$port
}

start_scorer() {
    choose_listen
    start scorer TERM "$work/scorer.log" "$bin/scorer" run
    wait_for 60 "$scorer" "the scorer" "$work/scorer.log" is_ready
    say "Scorer:      ready at http://$HTTP_LISTEN"
}

is_ready() { # the score role says so itself; the sink when it has partitions
    curl -fs "http://$HTTP_LISTEN/health/ready" && [ "$(metrics | total_of attrition_sink_partitions_assigned)" -gt 0 ]
}

# --- the run ---

metrics() { curl -fs --max-time 5 "http://$HTTP_LISTEN/metrics"; }
total_of() { # NAME…: the sum of these counters in the text on standard input
    awk -v names=" $* " '{ name = $1; sub(/\{.*/, "", name) } index(names, " " name " ") { sum += $2 } END { printf "%d\n", sum }'
}
ends=(attrition_events_scored_total attrition_events_dead_lettered_total attrition_events_erased_total attrition_events_outcome_total attrition_events_ignored_total)
rows_stored=(attrition_sink_predictions_total attrition_sink_dead_letters_total attrition_sink_erasures_total attrition_sink_outcomes_total attrition_sink_alerts_total attrition_sink_refused_total)
risen() { # METRICS NAME…: by how much these counters rose since the sending began
    local text=$1
    shift
    echo $(($(total_of "$@" <<<"$text") - $(total_of "$@" <<<"$before")))
}
alerts_risen() { # METRICS: "3 FIRST, 1 MOVED", or "none", since the sending began
    awk -F '[{}" ]+' '/^attrition_alerts_total\{/ { if (!($3 in count)) kinds[++n] = $3; count[$3] += FILENAME == "-" ? $4 : -$4 }
        END { for (k = 1; k <= n; k++) if (count[kinds[k]]) text = text (text ? ", " : "") count[kinds[k]] " " kinds[k]; print text ? text : "none" }' \
        <(echo "$before") - <<<"$1"
}
rows_since() { sql/psql -XqtAc "select count(*) from attrition.predictions where scored_at >= '$since'"; }

# A Kafka that was given may hold earlier events and predictions: they are no part of this run, so they are let through first.
settle() {
    local last='' now='' quiet=0 until=$((SECONDS + 60))
    while [ "$quiet" -lt 10 ] && [ "$SECONDS" -lt "$until" ]; do
        now=$(metrics | total_of "${ends[@]}" "${rows_stored[@]}")
        if [ "$now" = "$last" ]; then quiet=$((quiet + 1)); else quiet=0; fi
        last=$now
        sleep 0.1
    done
}

report_number() { sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" "$work/sent.log" | tail -n 1; }

send() { # sets read, sent, rejected, rejects, started, since
    local file=${data:-$work/employees.csv}
    rejects=build/rejects/$(basename "${data:-synthetic.csv}").rejects
    mkdir -p "${rejects%/*}"
    rm -f "$rejects" "$rejects.txt"
    say
    say "Sending ${DATA:-$synthetic_employees synthetic employees}"
    started=$EPOCHREALTIME
    since=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
    "$bin/producer" backfill "$file" --rejects-file "$rejects" >"$work/sent.log" || die "the backfill failed (see above)"
    cat "$work/sent.log"
    read=$(report_number read)
    sent=$(report_number acknowledged)
    rejected=$(report_number rejected)
    if [ -z "$read" ] || [ -z "$sent" ]; then die "the producer's report has no counts (see above)"; fi
    : "${rejected:=0}"
}

await_ends() { # until every event sent has an end and a row, or nothing moves for too long
    local text handled=0 stored=0 seen=-1 moved=$SECONDS
    while :; do
        if text=$(metrics); then
            handled=$(risen "$text" "${ends[@]}")
            stored=$(risen "$text" "${rows_stored[@]}")
            if [ "$handled" -ge "$sent" ] && [ "$stored" -ge "$sent" ] &&
                [ "$(rows_since)" -ge "$(risen "$text" attrition_events_scored_total)" ]; then return 0; fi
        elif ! is_alive "$scorer"; then
            die "the scorer ended before every event was handled"
        fi
        if [ $((handled + stored)) -ne "$seen" ]; then
            seen=$((handled + stored))
            moved=$SECONDS
        fi
        if [ $((SECONDS - moved)) -ge "$stall_limit_s" ]; then
            say "run: nothing moved for $stall_limit_s s: of $sent events sent, $handled have an end and $stored a row in PostgreSQL" >&2
            return 1
        fi
        sleep 0.1
    done
}

summary() {
    local ended=$EPOCHREALTIME text unaccounted seconds
    text=$(metrics)
    local scored dead erased outcome ignored rows_made
    scored=$(risen "$text" attrition_events_scored_total)
    dead=$(risen "$text" attrition_events_dead_lettered_total)
    erased=$(risen "$text" attrition_events_erased_total)
    outcome=$(risen "$text" attrition_events_outcome_total)
    ignored=$(risen "$text" attrition_events_ignored_total)
    rows_made=$(rows_since)
    unaccounted=$((sent - scored - dead - erased - outcome - ignored))
    [ "$rows_made" -ge "$scored" ] || unaccounted=$((unaccounted + scored - rows_made))
    [ "$unaccounted" -ge 0 ] || unaccounted=0 # others send to a Kafka that was given, too
    seconds=$(awk -v a="$started" -v b="$ended" 'BEGIN { printf "%.2f", b - a }')
    say
    say "Summary"
    say "Rows read:              $read, of which $rejected rejected before sending"
    say "Events:                 $sent sent, $scored scored, $dead dead letters, $erased erased, $outcome outcomes, $ignored ignored, $unaccounted unaccounted for"
    say "Rows in predictions:    $rows_made"
    if [ "$(state_topic)" != none ]; then
        say "Current records:        $(total_of attrition_state_employees <<<"$text") employees, $(total_of attrition_state_restore_partitions <<<"$text") partitions being restored"
        [ "${ALERT_TOPIC:-}" = none ] || say "Alerts by kind:         $(alerts_risen "$text")"
    fi
    say "Events per second:      $(awk -v n="$sent" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }') (from the first row read to the last row in PostgreSQL, $seconds s)"
    SCHEMA_FILE=${SCHEMAS_DIR:-schemas}/employee_event.avsc sql/psql -Xq -v since="$since" -f deploy/summary.sql ||
        die "the summary could not be read from the database (see above)"
    [ "$rejected" -eq 0 ] || { say; say "Rejected rows: $rejects, why: $rejects.txt"; }
    say
    [ "$unaccounted" -eq 0 ]
}

# How to go on from here, with what is still there: after ONCE, or with events missing, scorer and private PostgreSQL end. A given
# DATABASE_URL may hold a password, so it stays in its variable.
further() {
    local shown="sql/psql" ending=$ONCE
    [ -n "$complete" ] || ending=1
    if [ -n "$ending" ] && [ -n "$private" ]; then
        say "Scorer, database and all that was started end now${complete:+; without ONCE=1 they stay up to look further}."
        return
    fi
    [ -z "$private" ] || shown="psql \"$DATABASE_URL\""
    say "To look further:"
    say "  $shown -c 'select * from attrition.risk_by_department'"
    say "  $shown -c 'select employee_id, probability, reasons from attrition.latest_predictions order by probability desc limit 20'"
    [ -z "$ending" ] || return 0
    if curl -fs -o /dev/null "http://$HTTP_LISTEN/"; then say "Page:     http://$HTTP_LISTEN/"; fi
    say "Health:   http://$HTTP_LISTEN/health    Counters: http://$HTTP_LISTEN/metrics"
}

work=$(mktemp -d /tmp/attrition-run.XXXXXX)
chmod 711 "$work"
find_data
check_given
prepare_model
[ -n "$data" ] || generate 2 "$work/employees.csv"
start_postgres
start_broker
start_scorer
[ -n "$broker" ] || settle
before=$(metrics) || die "the scorer's counters cannot be read at http://$HTTP_LISTEN/metrics"
send
complete=1
await_ends || complete=
summary || complete=
further
[ -n "$complete" ] || die "not every event is accounted for"
[ -z "$ONCE" ] || exit 0
say
say "Running until Ctrl-C. Send more with: KAFKA_BOOTSTRAP_SERVERS=$KAFKA_BOOTSTRAP_SERVERS $bin/producer backfill FILE.csv"
while is_alive "$scorer"; do sleep 1; done
die "the scorer ended by itself"
