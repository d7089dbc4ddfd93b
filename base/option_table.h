/* The one table of options. A row is everything about an option: flag, environment variable, config-file key, --help
 * and docs/CONFIGURATION.md come from it. Precedence: flag, environment, file (--config), default.
 *
 * OPTION(id, "flag", "ENVIRONMENT", type, "default" or NULL for none, programs, OPTION_flags, "METAVAR", "help")
 * The config-file key is the flag; flags are unique within a program. A row with OPTION_SECRET may be given as
 * ENVIRONMENT_FILE (a path) and is never printed; one with OPTION_SHIPPED has a default that is also looked for where
 * `make install` puts it. A help text with a part "train: …" is for that subcommand alone.
 * Programs: S scorer, P producer, T trainer, R registry. */
/* clang-format off */
#define OPTION_TABLE(OPTION) \
    OPTION(CONFIG, "config", "ATTRITION_CONFIG", TEXT, NULL, S | P | T | R, 0, "FILE", "read options from FILE: one `flag = value` a line, # starts a comment") \
    OPTION(LOG_LEVEL, "log-level", "LOG_LEVEL", TEXT, "info", S | P | T | R, 0, "LEVEL", "error, warn, info or debug") \
    OPTION(LOG_FORMAT, "log-format", "LOG_FORMAT", TEXT, "text", S | P | T | R, 0, "FORMAT", "text or json") \
    OPTION(SCHEMAS_DIR, "schemas-dir", "SCHEMAS_DIR", TEXT, "schemas", S | P | T | R, OPTION_SHIPPED, "DIR", "directory of employee_event.avsc, prediction.avsc and ids.json") \
    OPTION(BOOTSTRAP_SERVERS, "bootstrap-servers", "KAFKA_BOOTSTRAP_SERVERS", TEXT, "localhost:9092", S | P, 0, "HOST:PORT,…", "Kafka brokers") \
    OPTION(INPUT_TOPIC, "input-topic", "INPUT_TOPIC", TEXT, "employee-events", S | P, 0, "TOPIC", "topic of employees' events") \
    OPTION(REGISTRY_URL, "schema-registry-url", "SCHEMA_REGISTRY_URL", TEXT, NULL, S | P, 0, "URL,…", "schema registry with Confluent's API, tried in turn; without one: the schemas of --schemas-dir and their fixed ids") \
    OPTION(REGISTRY_USERNAME, "schema-registry-username", "SCHEMA_REGISTRY_USERNAME", TEXT, NULL, S | P, 0, "NAME", "user of the schema registry (Basic)") \
    OPTION(REGISTRY_PASSWORD, "schema-registry-password", "SCHEMA_REGISTRY_PASSWORD", TEXT, NULL, S | P, OPTION_SECRET, "PASSWORD", "password of that user") \
    OPTION(REGISTRY_TOKEN, "schema-registry-token", "SCHEMA_REGISTRY_TOKEN", TEXT, NULL, S | P, OPTION_SECRET, "TOKEN", "bearer token for the schema registry; wins over user and password") \
    OPTION(REGISTRY_CA, "schema-registry-ca-location", "SCHEMA_REGISTRY_CA_LOCATION", TEXT, NULL, S | P, 0, "FILE", "certificates to trust for an https registry: a PEM file or a directory; default: the system's") \
    OPTION(REGISTRY_TIMEOUT, "schema-registry-timeout", "SCHEMA_REGISTRY_TIMEOUT", DURATION, "5s", S | P, 0, "TIME", "how long one request to the registry may take") \
    OPTION(REGISTRY_UNKNOWN_TTL, "schema-registry-unknown-ttl", "SCHEMA_REGISTRY_UNKNOWN_TTL", DURATION, "60s", S | P, 0, "TIME", "how long an id that the registry does not know is not asked for again") \
    OPTION(REGISTRY_CACHE_DIR, "schema-registry-cache-dir", "SCHEMA_REGISTRY_CACHE_DIR", TEXT, NULL, S | P, 0, "DIR", "keep the registry's schemas here, so that a restart does without it; remove DIR where the registry was made anew") \
    OPTION(REGISTRY_LOOKUP_ONLY, "schema-registry-lookup-only", "SCHEMA_REGISTRY_LOOKUP_ONLY", FLAG, NULL, S | P, 0, NULL, "never register a schema: only look its id up") \
    OPTION(UNFRAMED, "unframed", "UNFRAMED", TEXT, NULL, S, 0, "ID|FILE", "take values without a schema header as bare Avro, written with the schema of this id or file") \
    OPTION(MAX_FUTURE, "max-future", "MAX_FUTURE", DURATION, "24h", S | P, 0, "TIME", "how far after now an event's occurred_at may lie; beyond: out_of_range") \
    OPTION(TIME_UNIT, "time-unit", "TIME_UNIT", TEXT, NULL, S | P, 0, "UNIT", "what bare numbers in occurred_at count since 1970: s, ms, us, ns or days; default: Avro's plain long milliseconds, others are refused") \
    OPTION(OUTPUT_TOPIC, "output-topic", "OUTPUT_TOPIC", TEXT, "attrition-predictions", S, 0, "TOPIC", "topic of predictions") \
    OPTION(DLQ_TOPIC, "dlq-topic", "DLQ_TOPIC", TEXT, "employee-events-dlq", S | P, 0, "TOPIC", "topic of dead letters") \
    OPTION(OUTCOME_TOPIC, "outcome-topic", "OUTCOME_TOPIC", TEXT, "attrition-outcomes", S, 0, "TOPIC", "topic of terminations") \
    OPTION(GROUP_ID, "group-id", "GROUP_ID", TEXT, "attrition-scorer", S, 0, "GROUP", "consumer group of the score role; the sink's is GROUP-sink") \
    OPTION(INSTANCE_ID, "instance-id", "INSTANCE_ID", TEXT, NULL, S, 0, "ID", "stable identity of this process; default: host name and a locked slot number") \
    OPTION(STATE_DIR, "state-dir", "STATE_DIR", TEXT, NULL, S, 0, "DIR", "where slot locks live; default: $XDG_RUNTIME_DIR or /tmp") \
    OPTION(ROLES, "roles", "ROLES", TEXT, "score,sink,http", S, 0, "ROLE,…", "what this process does: score, sink, http") \
    OPTION(WORKERS, "workers", "WORKERS", INTEGER, "1", S, 0, "N", "score loops, each with its own consumer and producer (1 to 64)") \
    OPTION(DELIVERY, "delivery", "DELIVERY", TEXT, "exactly-once", S | P, 0, "MODE", "exactly-once or at-least-once (the producer: dlq replay alone)") \
    OPTION(COMMIT_INTERVAL, "commit-interval", "COMMIT_INTERVAL", DURATION, "100ms", S, 0, "TIME", "commit a transaction at the latest after TIME") \
    OPTION(COMMIT_EVENTS, "commit-events", "COMMIT_EVENTS", INTEGER, "50000", S, 0, "N", "commit a transaction at the latest after N events") \
    OPTION(DRAIN_DEADLINE, "drain-deadline", "DRAIN_DEADLINE", DURATION, "25s", S, 0, "TIME", "on TERM: finish, commit and leave within TIME") \
    OPTION(READY_TIMEOUT, "ready-timeout", "READY_TIMEOUT", DURATION, "30s", S, 0, "TIME", "not ready (503) when a loop has work and has committed nothing for TIME") \
    OPTION(WATCHDOG, "watchdog", "WATCHDOG", DURATION, "2m", S, 0, "TIME", "end with status 1, to be restarted, when a loop neither turns nor waits for an unavailable server for TIME; 0: never") \
    OPTION(MEMORY_LIMIT, "memory-limit", "MEMORY_LIMIT", SIZE, "0", S, 0, "SIZE", "bound the Kafka clients' queues and the batches so that the process stays below SIZE (such as 512MiB); 0: librdkafka's usual sizes") \
    OPTION(EXIT_AT_END, "exit-at-end", "EXIT_AT_END", FLAG, NULL, S, 0, NULL, "stop once everything up to the end offsets seen at the start is handled") \
    OPTION(CREATE_TOPICS, "create-topics", "CREATE_TOPICS", FLAG, NULL, S, 0, NULL, "check: make missing output topics with the input's partition count") \
    OPTION(REASONS, "reasons", "REASONS", INTEGER, "3", S, 0, "K", "reason codes per prediction; 0 turns them off") \
    OPTION(MODEL_URI, "model", "MODEL_URI", TEXT, "models:/attrition@production", S, 0, "URI", "models:/NAME@ALIAS, models:/NAME/VERSION, or a path to an .onnx file") \
    OPTION(CHALLENGER_URIS, "challengers", "CHALLENGER_URIS", TEXT, NULL, S, 0, "URI,…", "models scored on the same rows and told in the predictions, never acted on (at most 8)") \
    OPTION(MODEL_POLL_INTERVAL, "model-poll-interval", "MODEL_POLL_INTERVAL", DURATION, "5s", S, 0, "TIME", "how often the alias is looked up") \
    OPTION(TRACKING_URI, "tracking-uri", "MLFLOW_TRACKING_URI", TEXT, "./mlruns", S | T | R, 0, "URI", "a directory in MLflow's file-store layout, or the http(s) address of an MLflow server") \
    OPTION(TRACKING_USERNAME, "tracking-username", "MLFLOW_TRACKING_USERNAME", TEXT, NULL, S | T | R, OPTION_SECRET, "NAME", "MLflow server: user (Basic)") \
    OPTION(TRACKING_PASSWORD, "tracking-password", "MLFLOW_TRACKING_PASSWORD", TEXT, NULL, S | T | R, OPTION_SECRET, "PASSWORD", "MLflow server: the user's password") \
    OPTION(TRACKING_TOKEN, "tracking-token", "MLFLOW_TRACKING_TOKEN", TEXT, NULL, S | T | R, OPTION_SECRET, "TOKEN", "MLflow server: bearer token, instead of user and password") \
    OPTION(TRACKING_CA, "tracking-ca-file", "MLFLOW_TRACKING_SERVER_CERT_PATH", TEXT, NULL, S | T | R, 0, "FILE", "MLflow server: certificates to trust (PEM file or directory); default: the system's") \
    OPTION(TRACKING_INSECURE, "tracking-insecure-tls", "MLFLOW_TRACKING_INSECURE_TLS", FLAG, NULL, S | T | R, 0, NULL, "MLflow server: accept any certificate (for trials)") \
    OPTION(TRACKING_TIMEOUT, "tracking-timeout", "TRACKING_TIMEOUT", DURATION, "30s", S | T | R, 0, "TIME", "MLflow server: how long a request may take; a file twenty times as long") \
    OPTION(MODEL_CACHE_DIR, "model-cache-dir", "MODEL_CACHE_DIR", TEXT, NULL, S | T | R, 0, "DIR", "where models from an MLflow server are kept; default: attrition in $XDG_CACHE_HOME, ~/.cache or /tmp") \
    OPTION(KEEP_DIR, "keep-dir", "KEEP_DIR", TEXT, "./mlruns-kept", T | R, 0, "DIR", "where a run is kept while the MLflow server is away, for `registry sync`") \
    OPTION(DATABASE_URL, "database-url", "DATABASE_URL", TEXT, NULL, S, OPTION_SECRET, "CONNINFO", "libpq connection string; PG* variables work too") \
    OPTION(SINK_ROWS, "sink-rows", "SINK_ROWS", INTEGER, "5000", S, 0, "N", "rows in one PostgreSQL transaction at most") \
    OPTION(SINK_INTERVAL, "sink-interval", "SINK_INTERVAL", DURATION, "200ms", S, 0, "TIME", "flush rows to PostgreSQL at the latest after TIME") \
    OPTION(ERASURE, "erasure", "ERASURE", TEXT, "delete", S, 0, "METHOD", "what an erasure does to the employee's rows: delete, or pseudonymise predictions (the rest goes either way)") \
    OPTION(HTTP_LISTEN, "http-listen", "HTTP_LISTEN", TEXT, "127.0.0.1:8080", S, 0, "ADDRESS:PORT", "where the HTTP service answers; port 0 takes a free one") \
    OPTION(HTTP_TOKEN, "http-token", "HTTP_TOKEN", TEXT, NULL, S, OPTION_SECRET, "TOKEN", "bearer token; needed to listen beyond loopback") \
    OPTION(HTTP_LOG_TIMEOUT, "http-log-timeout", "HTTP_LOG_TIMEOUT", DURATION, "3s", S, 0, "TIME", "how long /predict waits for Kafka to acknowledge what it logs, before it answers 503") \
    OPTION(HTTP_RATE, "http-rate", "HTTP_RATE", INTEGER, "0", S, 0, "N", "requests a second that one address may send (429 beyond; probes are free); 0: any number") \
    OPTION(HTTP_CORS_ORIGINS, "http-cors-origins", "HTTP_CORS_ORIGINS", TEXT, NULL, S, 0, "ORIGIN,…", "origins whose pages may ask from a browser, or *; default: none") \
    OPTION(STREAM_URL, "stream-url", "STREAM_URL", TEXT, NULL, S, 0, "URL", "http without score: the scorer whose stream the page shows; asked with this process's token") \
    OPTION(HTTP_THREADS, "http-threads", "HTTP_THREADS", INTEGER, "2", S, 0, "N", "threads that answer HTTP requests (1 to 64)") \
    OPTION(HTTP_ACCESS_LOG, "http-access-log", "HTTP_ACCESS_LOG", FLAG, "true", S, 0, NULL, "one log line for each HTTP request (probes at level debug)") \
    OPTION(POSITIVE_LABEL, "positive-label", "POSITIVE_LABEL", TEXT, NULL, S | R, 0, "LABEL", "which of the model's classes is the risk; default: the model's metadata, then the schema") \
    OPTION(UNCHECKED, "unchecked", NULL, FLAG, NULL, S, 0, NULL, "score: leave out ranges and categories") \
    OPTION(COUNTERFACTUAL, "counterfactual", NULL, FLAG, NULL, S, 0, NULL, "score: tell also the smallest change of one attribute that gives the other prediction") \
    OPTION(WRITER_SCHEMA, "writer-schema", NULL, TEXT, NULL, S, 0, "FILE", "decode: the schema the bytes were written with") \
    OPTION(READER_SCHEMA, "reader-schema", NULL, TEXT, NULL, S, 0, "FILE", "decode: the schema to see them through; default: the event schema") \
    OPTION(AUDIT_FROM, "from", NULL, TEXT, NULL, S, 0, "TIME", "audit: judge input records of TIME or later: 2026-11-27T10:00:00Z, or an age such as 24h") \
    OPTION(AUDIT_TO, "to", NULL, TEXT, NULL, S, 0, "TIME", "audit: judge input records before TIME") \
    OPTION(AUDIT_JSON, "json", NULL, FLAG, NULL, S, 0, NULL, "audit: answer in JSON") \
    OPTION(MAX_REJECTS, "max-rejects", "MAX_REJECTS", INTEGER, "-1", P, 0, "N", "backfill: exit 1 when more than N rows are rejected; -1: any number") \
    OPTION(REJECTS_FILE, "rejects-file", "REJECTS_FILE", TEXT, NULL, P, 0, "FILE", "backfill: where rejected rows go; default: <input>.rejects beside the input") \
    OPTION(TRAIN_MAX_REJECTS, "max-rejects", NULL, INTEGER, "0", T, 0, "N", "train: leave out up to N rows that have faults, and say which; -1: any number") \
    OPTION(NO_VALIDATE, "no-validate", NULL, FLAG, NULL, P, 0, NULL, "backfill: send rows that validation would refuse (where they can be encoded)") \
    OPTION(EVENT_TYPE, "event-type", NULL, TEXT, "SNAPSHOT", P, 0, "TYPE", "event type of the events sent") \
    OPTION(COUNT, "count", NULL, INTEGER, "1000", P, 0, "N", "generate: how many employees") \
    OPTION(SEED, "seed", NULL, INTEGER, "0", P | T, 0, "N", "seed of every random choice") \
    OPTION(RECIPE, "recipe", NULL, TEXT, "producer/recipe.json", P, OPTION_SHIPPED, "FILE", "generate: the tables to draw from") \
    OPTION(FORMAT, "format", NULL, TEXT, NULL, P, 0, "FORMAT", "input or output form: csv or jsonl; default: by the file's name") \
    OPTION(OUTPUT, "out", NULL, TEXT, NULL, P | T, 0, "FILE", "generate: write CSV to FILE instead of sending; train: only write the model file; describe: write the HTML report") \
    OPTION(POISON, "poison", NULL, TEXT, "0", P, 0, "SHARE", "generate: share of events made unreadable or invalid on purpose (0 to 1), for tests") \
    OPTION(CODE, "code", NULL, TEXT, NULL, P, 0, "CODE", "dlq: only dead letters of this error code") \
    OPTION(FIELD, "field", NULL, TEXT, NULL, P, 0, "NAME", "dlq: only dead letters whose fault is in this attribute") \
    OPTION(SINCE, "since", NULL, TEXT, NULL, P, 0, "TIME", "dlq: only what failed first at TIME or later: 2026-11-23T10:00:00Z, or an age such as 24h") \
    OPTION(PARTITION, "partition", NULL, INTEGER, "-1", P, 0, "N", "dlq: only this partition; -1: all") \
    OPTION(JSON, "json", NULL, FLAG, NULL, P, 0, NULL, "dlq: answer in JSON, one object a line") \
    OPTION(MAX_REPLAYS, "max-replays", NULL, INTEGER, "3", P, 0, "N", "dlq: replay nothing that was replayed N times already") \
    OPTION(DRY_RUN, "dry-run", NULL, FLAG, NULL, P, 0, NULL, "dlq: say what would be replayed, send nothing") \
    OPTION(AGAIN, "again", NULL, FLAG, NULL, P, 0, NULL, "dlq: replay also what was replayed before") \
    OPTION(REPLAY_GROUP, "replay-group", "REPLAY_GROUP", TEXT, "attrition-dlq-replay", P, 0, "GROUP", "dlq: consumer group whose offsets remember what was replayed") \
    OPTION(MODEL_KIND, "model", NULL, TEXT, NULL, T, 0, "KIND", "logistic-regression, logistic-regression-l2 or random-forest") \
    OPTION(MODEL_NAME, "name", "MODEL_NAME", TEXT, "attrition", T | R, 0, "NAME", "registered model") \
    OPTION(ALIAS, "alias", "MODEL_ALIAS", TEXT, "production", T | R, 0, "ALIAS", "alias to set") \
    OPTION(EXPERIMENT, "experiment", "MLFLOW_EXPERIMENT_NAME", TEXT, "attrition", T | R, 0, "NAME", "experiment the run belongs to") \
    OPTION(GOLDEN, "golden", NULL, TEXT, NULL, R, 0, "FILE", "import: JSON Lines of {\"attributes\":{…},\"probability\":p} that the model must reproduce, now and at every load") \
    OPTION(BACKGROUND, "background", NULL, TEXT, NULL, R, 0, "FILE", "import: CSV or JSON Lines of employees, from which the reasons' reference is taken") \
    OPTION(PROMOTE, "promote", NULL, FLAG, NULL, T, 0, NULL, "train: set the alias even if another version has it") \
    OPTION(THRESHOLD, "threshold", NULL, TEXT, "max-f1", T, 0, "RULE", "max-f1, recall=0.8, cost=5:1 (a missed one costs five false alarms) or a number from 0 to 1") \
    OPTION(FOLDS, "folds", NULL, INTEGER, "5", T, 0, "N", "train: folds of the cross-validation, 2 to 20; 0: none") \
    OPTION(REPEATS, "repeats", NULL, INTEGER, "1", T, 0, "N", "train: how often the rows are dealt into folds anew") \
    OPTION(TEST_SIZE, "test-size", NULL, TEXT, "0", T, 0, "SHARE", "train: hold out this share of the rows from all fitting and choosing, and judge the model by it") \
    OPTION(FOLDS_OUT, "folds-out", NULL, TEXT, NULL, T, 0, "FILE", "train: write which row is in which fold, as CSV") \
    OPTION(THREADS, "threads", "TRAINER_THREADS", INTEGER, "0", T, 0, "N", "threads that fit; 0: as many as there are processors; the results are the same") \
    OPTION(SORT, "sort", NULL, TEXT, "roc_auc", T, 0, "METRIC", "compare: the metric to sort by") \
    OPTION(TRAINER_JSON, "json", NULL, FLAG, NULL, T, 0, NULL, "compare, evaluate: answer in JSON")
/* clang-format on */
