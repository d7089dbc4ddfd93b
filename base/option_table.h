/* The one table of options. A row says everything about an option: the command line, environment and config file are
 * read by it, values are checked against it, and --help and docs/CONFIGURATION.md are written from it. Precedence:
 * flag, environment, file (--config), default.
 *
 * OPTION(ID, .field = value, …) is a struct option_row (options_private.h says what the fields mean; one that is not
 * named is none, the type is text, the variable ATTRITION_ and the flag) and makes OPTION_ID, by which programs ask for
 * the value. The config-file key is the flag; flags are unique within a program. A help text with a part "train: …" is
 * for that subcommand alone, as is a row with .only = "train": its flag is refused by the others. Names that a table
 * elsewhere knows (kinds of model, error codes, metrics) are texts here: that table checks them. Programs: S scorer,
 * P producer, T trainer, R registry. */
/* clang-format off */
#define DAEMON "run check audit state" /* whoever takes the daemon's settings */
#define OPTION_TABLE(OPTION) \
    OPTION(CONFIG, .flag = "config", .environment = "ATTRITION_CONFIG", .programs = S | P | T | R, .metavar = "FILE", \
           .help = "read options from FILE: one `flag = value` a line, # starts a comment") \
    OPTION(LOG_LEVEL, .flag = "log-level", .environment = "LOG_LEVEL", .type = OPTION_WORD, \
           .words = {[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug"}, .fallback = "info", .programs = S | P | T | R, .metavar = "LEVEL", \
           .help = "the least important level that is logged") \
    OPTION(LOG_FORMAT, .flag = "log-format", .environment = "LOG_FORMAT", .type = OPTION_WORD, \
           .words = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json"}, .fallback = "text", .programs = S | P | T | R, .metavar = "FORMAT", \
           .help = "form of the log lines") \
    OPTION(CORE_DUMPS, .flag = "core-dumps", .environment = "CORE_DUMPS", .type = OPTION_FLAG, .programs = S | P | T | R, \
           .help = "allow core dumps and debuggers; they see secrets and people's data") \
    OPTION(SCHEMAS_DIR, .flag = "schemas-dir", .environment = "SCHEMAS_DIR", .fallback = "schemas", .programs = S | P | T | R, .shipped = true, .metavar = "DIR", \
           .help = "directory of employee_event.avsc, prediction.avsc and ids.json") \
    OPTION(BOOTSTRAP_SERVERS, .flag = "bootstrap-servers", .environment = "KAFKA_BOOTSTRAP_SERVERS", .fallback = "localhost:9092", .only = DAEMON, .programs = S | P, .metavar = "HOST:PORT,…", \
           .help = "Kafka brokers") \
    OPTION(INPUT_TOPIC, .flag = "input-topic", .environment = "INPUT_TOPIC", .fallback = "employee-events", .only = DAEMON, .programs = S | P, .metavar = "TOPIC", \
           .help = "topic of employees' events") \
    OPTION(REGISTRY_URL, .flag = "schema-registry-url", .environment = "SCHEMA_REGISTRY_URL", .only = DAEMON " decode", .programs = S | P, .metavar = "URL,…", \
           .help = "schema registry with Confluent's API, tried in turn; without one: the schemas of --schemas-dir and their fixed ids") \
    OPTION(REGISTRY_USERNAME, .flag = "schema-registry-username", .environment = "SCHEMA_REGISTRY_USERNAME", .only = DAEMON " decode", .programs = S | P, .metavar = "NAME", \
           .help = "user of the schema registry (Basic)") \
    OPTION(REGISTRY_PASSWORD, .flag = "schema-registry-password", .environment = "SCHEMA_REGISTRY_PASSWORD", .only = DAEMON " decode", .programs = S | P, .secret = true, .metavar = "PASSWORD", \
           .help = "password of that user") \
    OPTION(REGISTRY_TOKEN, .flag = "schema-registry-token", .environment = "SCHEMA_REGISTRY_TOKEN", .only = DAEMON " decode", .programs = S | P, .secret = true, .metavar = "TOKEN", \
           .help = "bearer token for the schema registry; wins over user and password") \
    OPTION(REGISTRY_CA, .flag = "schema-registry-ca-location", .environment = "SCHEMA_REGISTRY_CA_LOCATION", .only = DAEMON " decode", .programs = S | P, .metavar = "FILE", \
           .help = "certificates to trust for an https registry: a PEM file or a directory; default: the system's") \
    OPTION(REGISTRY_TIMEOUT, .flag = "schema-registry-timeout", .environment = "SCHEMA_REGISTRY_TIMEOUT", .type = OPTION_DURATION, .fallback = "5s", .only = DAEMON " decode", .programs = S | P, .metavar = "TIME", \
           .help = "how long one request to the registry may take") \
    OPTION(REGISTRY_UNKNOWN_TTL, .flag = "schema-registry-unknown-ttl", .environment = "SCHEMA_REGISTRY_UNKNOWN_TTL", .type = OPTION_DURATION, .fallback = "60s", .only = DAEMON " decode", .programs = S | P, .metavar = "TIME", \
           .help = "how long an id that the registry does not know is not asked for again") \
    OPTION(REGISTRY_CACHE_DIR, .flag = "schema-registry-cache-dir", .environment = "SCHEMA_REGISTRY_CACHE_DIR", .only = DAEMON " decode", .programs = S | P, .metavar = "DIR", \
           .help = "keep the registry's schemas here, so that a restart does without it; remove DIR where the registry was recreated") \
    OPTION(REGISTRY_LOOKUP_ONLY, .flag = "schema-registry-lookup-only", .environment = "SCHEMA_REGISTRY_LOOKUP_ONLY", .type = OPTION_FLAG, .only = DAEMON " decode", .programs = S | P, \
           .help = "never register a schema: only look its id up") \
    OPTION(UNFRAMED, .flag = "unframed", .environment = "UNFRAMED", .only = DAEMON, .programs = S, .metavar = "ID|FILE", \
           .help = "take values without a schema header as bare Avro, written with the schema of this id or file") \
    OPTION(INPUT_FORMAT, .flag = "input-format", .environment = "INPUT_FORMAT", .type = OPTION_WORD, .words = {"auto", "avro", "json"}, .fallback = "auto", .only = DAEMON, .programs = S, .metavar = "FORMAT", \
           .help = "what values without a schema header are: avro, json, or auto: JSON where they begin with a brace; with --unframed, JSON needs json") \
    OPTION(INPUT_MAP, .flag = "map", .environment = "INPUT_MAP", .programs = S | P, .metavar = "FILE", .only = DAEMON " backfill dlq", \
           .help = "where the fields of an event stand in other JSON: a file of JSON pointers (docs/EVENTS_AS_JSON.md)") \
    OPTION(NULL_VALUE, .flag = "null-value", .environment = "NULL_VALUE", .type = OPTION_WORD, \
           .words = {[NULL_VALUE_ERASE] = "erase", [NULL_VALUE_IGNORE] = "ignore"}, .fallback = "erase", .only = DAEMON, .programs = S, .metavar = "WHAT", \
           .help = "what a null value means: erase the key's employee, or ignore it (tombstones of Debezium and of compacted topics)") \
    OPTION(CDC_DELETE, .flag = "cdc-delete", .environment = "CDC_DELETE", .type = OPTION_WORD, \
           .words = {[CDC_DELETE_TERMINATED] = "terminated", [CDC_DELETE_DEAD_LETTER] = "dead-letter"}, .fallback = "terminated", .only = DAEMON, .programs = S, .metavar = "WHAT", \
           .help = "what a row that Debezium reports as deleted becomes: a termination, or a dead letter") \
    OPTION(MAX_FUTURE, .flag = "max-future", .environment = "MAX_FUTURE", .type = OPTION_DURATION, .fallback = "24h", .maximum = "36600d", .programs = S | P, .metavar = "TIME", .only = DAEMON " backfill dlq", \
           .help = "how far after now an event's occurred_at may lie; beyond: out_of_range") \
    OPTION(TIME_UNIT, .flag = "time-unit", .environment = "TIME_UNIT", .type = OPTION_WORD, .words = {"s", "ms", "us", "ns", "days"}, .programs = S | P, .metavar = "UNIT", .only = DAEMON " backfill dlq", \
           .help = "what bare numbers in occurred_at count since 1970; default: only Avro's plain long is taken, as milliseconds") \
    OPTION(OUTPUT_TOPIC, .flag = "output-topic", .environment = "OUTPUT_TOPIC", .fallback = "attrition-predictions", .programs = S | P, .metavar = "TOPIC", .only = DAEMON " backfill generate dlq rescore", \
           .help = "topic of predictions") \
    OPTION(DLQ_TOPIC, .flag = "dlq-topic", .environment = "DLQ_TOPIC", .fallback = "employee-events-dlq", .programs = S | P, .metavar = "TOPIC", .only = DAEMON " backfill generate dlq rescore", \
           .help = "topic of dead letters") \
    OPTION(OUTCOME_TOPIC, .flag = "outcome-topic", .environment = "OUTCOME_TOPIC", .fallback = "attrition-outcomes", .programs = S | P, .metavar = "TOPIC", .only = DAEMON " backfill generate rescore", \
           .help = "topic of terminations") \
    OPTION(STATE_TOPIC, .flag = "state-topic", .environment = "STATE_TOPIC", .programs = S | P, .only = DAEMON " backfill dlq rescore", .metavar = "TOPIC", \
           .help = "compacted topic of current records, into which partial events are merged; none: no records are kept, and partial events become dead letters; default: $GROUP_ID-state, which the scorer makes where it is missing") \
    OPTION(ALERT_TOPIC, .flag = "alert-topic", .environment = "ALERT_TOPIC", .fallback = "attrition-alerts", .only = DAEMON, .programs = S, .metavar = "TOPIC", \
           .help = "topic of alerts: whose risk has changed, and why; needs --state-topic; none: there are none") \
    OPTION(ALERT_HYSTERESIS, .flag = "alert-hysteresis", .environment = "ALERT_HYSTERESIS", .type = OPTION_SHARE, .fallback = "0", .minimum = "0", .maximum = "1", .only = DAEMON, .programs = S, .metavar = "H", \
           .help = "an alert that the decision has changed needs a probability H beyond the threshold") \
    OPTION(ALERT_DELTA, .flag = "alert-delta", .environment = "ALERT_DELTA", .type = OPTION_SHARE, .fallback = "0.10", .minimum = "0", .maximum = "1", .only = DAEMON, .programs = S, .metavar = "D", \
           .help = "an alert that the risk has moved needs a probability that differs by D from that of the last alert") \
    OPTION(GROUP_ID, .flag = "group-id", .environment = "GROUP_ID", .fallback = "attrition-scorer", .programs = S | P, .metavar = "GROUP", .only = DAEMON " backfill dlq rescore", \
           .help = "consumer group of the score role; the sink's is GROUP-sink") \
    OPTION(INSTANCE_ID, .flag = "instance-id", .environment = "INSTANCE_ID", .only = DAEMON, .programs = S, .metavar = "ID", \
           .help = "stable identity of this process; default: host name and a locked slot number") \
    OPTION(STATE_DIR, .flag = "state-dir", .environment = "STATE_DIR", .only = DAEMON, .programs = S, .metavar = "DIR", \
           .help = "where slot locks live; default: $XDG_RUNTIME_DIR or /tmp") \
    OPTION(STATE_SNAPSHOT_DIR, .flag = "state-snapshot-dir", .environment = "STATE_SNAPSHOT_DIR", .only = DAEMON, .programs = S, .metavar = "DIR", \
           .help = "local snapshots of current records (--state-topic), so that a restart reads only what is newer from the topic; made with mode 0700 where it is missing, and refused where it is a link, another user's, or open to others; default: none are kept") \
    OPTION(ROLES, .flag = "roles", .environment = "ROLES", .type = OPTION_WORDS, \
           .words = {[ROLE_SCORE] = "score", [ROLE_SINK] = "sink", [ROLE_HTTP] = "http"}, .fallback = "score,sink,http", .only = DAEMON, .programs = S, .metavar = "ROLE,…", \
           .help = "what this process does") \
    OPTION(WORKERS, .flag = "workers", .environment = "WORKERS", .type = OPTION_INTEGER, .fallback = "1", .minimum = "1", .maximum = "64", .only = DAEMON, .programs = S, .metavar = "N", \
           .help = "score loops, each with its own consumer and producer") \
    OPTION(DELIVERY, .flag = "delivery", .environment = "DELIVERY", .type = OPTION_WORD, \
           .words = {[DELIVERY_EXACTLY_ONCE] = "exactly-once", [DELIVERY_AT_LEAST_ONCE] = "at-least-once"}, .fallback = "exactly-once", .programs = S | P, .metavar = "MODE", .only = DAEMON " backfill dlq rescore", \
           .help = "guarantee for each event; in the producer for backfill and dlq replay") \
    OPTION(COMMIT_INTERVAL, .flag = "commit-interval", .environment = "COMMIT_INTERVAL", .type = OPTION_DURATION, .fallback = "100ms", .minimum = "1ms", .maximum = "5s" /* below transaction.timeout.ms with room to spare */, .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "commit a transaction at the latest after TIME") \
    OPTION(COMMIT_EVENTS, .flag = "commit-events", .environment = "COMMIT_EVENTS", .type = OPTION_INTEGER, .fallback = "50000", .minimum = "1", .maximum = "1000000", .only = DAEMON, .programs = S, .metavar = "N", \
           .help = "commit a transaction at the latest after N events") \
    OPTION(DRAIN_DEADLINE, .flag = "drain-deadline", .environment = "DRAIN_DEADLINE", .type = OPTION_DURATION, .fallback = "25s", .maximum = "1d", .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "on TERM: finish, commit and leave within TIME") \
    OPTION(READY_TIMEOUT, .flag = "ready-timeout", .environment = "READY_TIMEOUT", .type = OPTION_DURATION, .fallback = "30s", .minimum = "1s", .maximum = "1d", .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "not ready (503) when a loop has work and has committed nothing for TIME") \
    OPTION(WATCHDOG, .flag = "watchdog", .environment = "WATCHDOG", .type = OPTION_DURATION, .fallback = "2m", .minimum = "30s" /* less would end a process that is only busy */, .maximum = "1d", .or_zero = true, .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "end with status 1, to be restarted, when a loop neither turns nor waits for an unavailable server for TIME; 0: never") \
    OPTION(MEMORY_LIMIT, .flag = "memory-limit", .environment = "MEMORY_LIMIT", .type = OPTION_SIZE, .fallback = "0", .only = DAEMON, .programs = S, .metavar = "SIZE", \
           .help = "bound the Kafka clients' queues and the batches so that the process stays below SIZE (such as 512MiB); 0: librdkafka's usual sizes") \
    OPTION(EXIT_AT_END, .flag = "exit-at-end", .environment = "EXIT_AT_END", .type = OPTION_FLAG, .only = DAEMON, .programs = S, \
           .help = "stop once everything up to the end offsets seen at the start is handled") \
    OPTION(CREATE_TOPICS, .flag = "create-topics", .environment = "CREATE_TOPICS", .type = OPTION_FLAG, .programs = S, \
           .help = "check: make missing topics: the input topic, and the output topics with the input's partition count") \
    OPTION(PARTITIONS, .flag = "partitions", .environment = "PARTITIONS", .type = OPTION_INTEGER, .fallback = "4", .minimum = "1", .maximum = "100000", .programs = S, .metavar = "N", \
           .help = "check: with --create-topics: partitions of an input topic that is made; no more workers than these can share the work") \
    OPTION(REASONS, .flag = "reasons", .environment = "REASONS", .type = OPTION_INTEGER, .fallback = "3", .minimum = "0", .maximum = "1000", .only = DAEMON " score", .programs = S, .metavar = "K", \
           .help = "reason codes per prediction; 0 turns them off") \
    OPTION(REASONS_FOR, .flag = "reasons-for", .environment = "REASONS_FOR", .fallback = "all", .only = DAEMON, .programs = S, .metavar = "all|flagged|near:D", \
           .help = "which predictions of the stream get their reasons: all, those flagged, or those flagged or within D below the threshold (near:0.1); the others carry an empty list") \
    OPTION(MODEL_URI, .flag = "model", .environment = "MODEL_URI", .fallback = "models:/attrition@production", .only = DAEMON " score explain", .programs = S, .metavar = "URI", \
           .help = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME/latest, or a path to an .onnx file") \
    OPTION(CHALLENGER_URIS, .flag = "challengers", .environment = "CHALLENGER_URIS", .only = DAEMON, .programs = S, .metavar = "URI,…", \
           .help = "models scored on the same rows and reported in the predictions, never acted on (at most 8)") \
    OPTION(MODEL_POLL_INTERVAL, .flag = "model-poll-interval", .environment = "MODEL_POLL_INTERVAL", .type = OPTION_DURATION, .fallback = "5s", .minimum = "10ms", .maximum = "1d", .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "how often the alias is looked up") \
    OPTION(TRACKING_URI, .flag = "tracking-uri", .environment = "MLFLOW_TRACKING_URI", .fallback = "./mlruns", .only = DAEMON " score explain", .programs = S | T | R, .metavar = "URI", \
           .help = "a directory in MLflow's file-store layout, or the http(s) address of an MLflow server") \
    OPTION(TRACKING_USERNAME, .flag = "tracking-username", .environment = "MLFLOW_TRACKING_USERNAME", .only = DAEMON " score explain", .programs = S | T | R, .secret = true, .metavar = "NAME", \
           .help = "MLflow server: user (Basic)") \
    OPTION(TRACKING_PASSWORD, .flag = "tracking-password", .environment = "MLFLOW_TRACKING_PASSWORD", .only = DAEMON " score explain", .programs = S | T | R, .secret = true, .metavar = "PASSWORD", \
           .help = "MLflow server: the user's password") \
    OPTION(TRACKING_TOKEN, .flag = "tracking-token", .environment = "MLFLOW_TRACKING_TOKEN", .only = DAEMON " score explain", .programs = S | T | R, .secret = true, .metavar = "TOKEN", \
           .help = "MLflow server: bearer token, instead of user and password") \
    OPTION(TRACKING_CA, .flag = "tracking-ca-file", .environment = "MLFLOW_TRACKING_SERVER_CERT_PATH", .only = DAEMON " score explain", .programs = S | T | R, .metavar = "FILE", \
           .help = "MLflow server: certificates to trust (PEM file or directory); default: the system's") \
    OPTION(TRACKING_INSECURE, .flag = "tracking-insecure-tls", .environment = "MLFLOW_TRACKING_INSECURE_TLS", .type = OPTION_FLAG, .only = DAEMON " score explain", .programs = S | T | R, \
           .help = "MLflow server: accept any certificate (for trials)") \
    OPTION(TRACKING_TIMEOUT, .flag = "tracking-timeout", .environment = "TRACKING_TIMEOUT", .type = OPTION_DURATION, .fallback = "30s", .only = DAEMON " score explain", .programs = S | T | R, .metavar = "TIME", \
           .help = "MLflow server: how long a request may take; a file twenty times as long") \
    OPTION(MODEL_CACHE_DIR, .flag = "model-cache-dir", .environment = "MODEL_CACHE_DIR", .only = DAEMON " score explain", .programs = S | T | R, .metavar = "DIR", \
           .help = "where models from an MLflow server are kept; this user's alone; default: attrition in $XDG_CACHE_HOME or ~/.cache") \
    OPTION(KEEP_DIR, .flag = "keep-dir", .environment = "KEEP_DIR", .fallback = "./mlruns-kept", .programs = T | R, .metavar = "DIR", \
           .help = "where a run is kept while the MLflow server is unavailable, for `registry sync`") \
    OPTION(DATABASE_URL, .flag = "database-url", .environment = "DATABASE_URL", .only = DAEMON " explain report notices table retrain promote", .programs = S | T | R, .secret = true, .metavar = "CONNINFO", \
           .help = "libpq connection string; PG* variables work too") \
    OPTION(DATABASE_READ_URL, .flag = "database-read-url", .environment = "DATABASE_READ_URL", .only = DAEMON, .programs = S, .secret = true, .metavar = "CONNINFO", \
           .help = "http: where employees and alerts are read, as a user with the role attrition_analyst; default: --database-url") \
    OPTION(SINK_ROWS, .flag = "sink-rows", .environment = "SINK_ROWS", .type = OPTION_INTEGER, .fallback = "5000", .minimum = "1", .maximum = "1000000", .only = DAEMON, .programs = S, .metavar = "N", \
           .help = "rows in one PostgreSQL transaction at most") \
    OPTION(SINK_INTERVAL, .flag = "sink-interval", .environment = "SINK_INTERVAL", .type = OPTION_DURATION, .fallback = "200ms", .minimum = "1ms", .maximum = "60s", .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "flush rows to PostgreSQL at the latest after TIME") \
    OPTION(ERASURE, .flag = "erasure", .environment = "ERASURE", .type = OPTION_WORD, .words = {"delete", "pseudonymise"}, .fallback = "delete", .only = DAEMON, .programs = S, .metavar = "METHOD", \
           .help = "what an erasure does to the employee's rows: delete them, or pseudonymise the predictions and delete the rest") \
    OPTION(HTTP_LISTEN, .flag = "http-listen", .environment = "HTTP_LISTEN", .fallback = "127.0.0.1:8080", .only = DAEMON, .programs = S, .metavar = "ADDRESS:PORT", \
           .help = "where the HTTP service answers; port 0 takes a free one") \
    OPTION(HTTP_TOKEN, .flag = "http-token", .environment = "HTTP_TOKEN", .only = DAEMON, .programs = S, .secret = true, .metavar = "TOKEN", \
           .help = "bearer token; needed to listen beyond loopback, with at least 16 characters") \
    OPTION(HTTP_TOKENS_FILE, .flag = "http-tokens-file", .environment = "HTTP_TOKENS_FILE", .only = DAEMON, .programs = S, .metavar = "FILE", \
           .help = "bearer tokens with scopes, one `SCOPE[,SCOPE…] SHA256-OF-TOKEN [NAME]` a line; read again on SIGHUP") \
    OPTION(HTTP_HOSTS, .flag = "http-hosts", .environment = "HTTP_HOSTS", .only = DAEMON, .programs = S, .metavar = "HOST,…", \
           .help = "without a token: names that a request's Host may have besides the listening address and localhost") \
    OPTION(HTTP_PROBES_LISTEN, .flag = "http-probes-listen", .environment = "HTTP_PROBES_LISTEN", .only = DAEMON, .programs = S, .metavar = "ADDRESS:PORT", \
           .help = "where health and metrics answer too, on a thread of their own; default: at --http-listen alone") \
    OPTION(METRICS_TOKEN, .flag = "metrics-token", .environment = "METRICS_TOKEN", .type = OPTION_FLAG, .only = DAEMON, .programs = S, \
           .help = "/metrics needs a token with the scope operate") \
    OPTION(HTTP_LOG_TIMEOUT, .flag = "http-log-timeout", .environment = "HTTP_LOG_TIMEOUT", .type = OPTION_DURATION, .fallback = "3s", .minimum = "10ms", .maximum = "60s", .only = DAEMON, .programs = S, .metavar = "TIME", \
           .help = "how long /predict and /events wait for Kafka to acknowledge what they write, before they answer 503") \
    OPTION(HTTP_RATE, .flag = "http-rate", .environment = "HTTP_RATE", .type = OPTION_INTEGER, .fallback = "0", .minimum = "0", .maximum = "1000000", .only = DAEMON, .programs = S, .metavar = "N", \
           .help = "requests a second that one address may send (429 beyond; probes are free); 0: any number") \
    OPTION(HTTP_CORS_ORIGINS, .flag = "http-cors-origins", .environment = "HTTP_CORS_ORIGINS", .only = DAEMON, .programs = S, .metavar = "ORIGIN,…", \
           .help = "origins whose pages may ask from a browser, or *; default: none") \
    OPTION(STREAM_URL, .flag = "stream-url", .environment = "STREAM_URL", .only = DAEMON, .programs = S, .metavar = "URL", \
           .help = "http without score: the scorer whose stream the page shows; asked with this process's token") \
    OPTION(HTTP_THREADS, .flag = "http-threads", .environment = "HTTP_THREADS", .type = OPTION_INTEGER, .fallback = "2", .minimum = "1", .maximum = "64", .only = DAEMON, .programs = S, .metavar = "N", \
           .help = "threads that answer HTTP requests") \
    OPTION(HTTP_ACCESS_LOG, .flag = "http-access-log", .environment = "HTTP_ACCESS_LOG", .type = OPTION_FLAG, .fallback = "true", .only = DAEMON, .programs = S, \
           .help = "one log line for each HTTP request (probes at level debug)") \
    OPTION(POSITIVE_LABEL, .flag = "positive-label", .environment = "POSITIVE_LABEL", .only = DAEMON " score explain import verify", .programs = S | R, .metavar = "LABEL", \
           .help = "which of the model's classes is the risk; default: the model's metadata, then the schema") \
    OPTION(COLUMNS, .flag = "columns", .programs = S | R, .only = "score import verify", .metavar = "A,B,C", \
           .help = "names of the columns of a model's table [N, k], in its order; default: the file's own") \
    OPTION(UNCHECKED, .flag = "unchecked", .type = OPTION_FLAG, .programs = S, \
           .help = "score: leave out ranges and categories") \
    OPTION(COUNTERFACTUAL, .flag = "counterfactual", .type = OPTION_FLAG, .programs = S, \
           .help = "score: report also the smallest change of one attribute that gives the other prediction") \
    OPTION(WRITER_SCHEMA, .flag = "writer-schema", .programs = S, .metavar = "FILE", \
           .help = "decode: the schema the bytes were written with") \
    OPTION(READER_SCHEMA, .flag = "reader-schema", .programs = S, .metavar = "FILE", \
           .help = "decode: the schema to see them through; default: the event schema") \
    OPTION(SEED_EMPTY, .flag = "empty", .type = OPTION_FLAG, .programs = S, .only = "state", \
           .help = "seed: no records; the group begins without any") \
    OPTION(FRAMED, .flag = "framed", .type = OPTION_FLAG, .programs = S, .only = "decode", \
           .help = "decode: values as they lie in a topic: frames of any known schema, or JSON") \
    OPTION(RAW, .flag = "raw", .type = OPTION_FLAG, .programs = S, .only = "decode", \
           .help = "decode: with --framed, each value after its length as 4 bytes, as kcat -C -f '%R%s' writes them; else hexadecimal lines") \
    OPTION(AUDIT_FROM, .flag = "from", .programs = S, .metavar = "TIME", \
           .help = "audit: examine input records of TIME or later: 2026-11-27T10:00:00Z, or an age such as 24h; explain, notices: decisions of TIME or later") \
    OPTION(AUDIT_TO, .flag = "to", .programs = S, .metavar = "TIME", \
           .help = "audit: examine input records before TIME; explain, notices: decisions before TIME") \
    OPTION(AUDIT_JSON, .flag = "json", .type = OPTION_FLAG, .programs = S, \
           .help = "audit: answer in JSON; explain: a JSON document a decision, one a line") \
    OPTION(EXPLAIN_EVENT, .flag = "event-id", .programs = S, .metavar = "ID", .only = "explain", \
           .help = "explain: the decision on the event of this id") \
    OPTION(REPORT_MONTH, .flag = "month", .programs = S, .metavar = "YYYY-MM", .only = "report", \
           .help = "report: the month, such as 2026-11 (UTC)") \
    OPTION(REPORT_OUTPUT, .flag = "output", .programs = S, .metavar = "FILE", .only = "report", \
           .help = "report: where the page is written; default: standard output") \
    OPTION(NOTICES_EMPLOYEE, .flag = "employee", .programs = S, .metavar = "ID", .only = "notices", \
           .help = "notices: of this employee alone") \
    OPTION(NOTICES_FORMAT, .flag = "format", .type = OPTION_WORD, .words = {[NOTICES_JSONL] = "jsonl", [NOTICES_CSV] = "csv"}, .fallback = "jsonl", .programs = S, .metavar = "FORMAT", .only = "notices", \
           .help = "notices: jsonl, a JSON document a notice, or csv") \
    OPTION(NOTICES_CONTACT, .flag = "contact", .environment = "NOTICES_CONTACT", .programs = S, .metavar = "TEXT", .only = "notices", \
           .help = "notices: how somebody has data corrected or asks for a review by a person, as every notice says it; default: they say nothing of it") \
    OPTION(MAX_REJECTS, .flag = "max-rejects", .environment = "MAX_REJECTS", .type = OPTION_INTEGER, .fallback = "-1", .minimum = "-1", .programs = P, .metavar = "N", \
           .help = "backfill: exit 1 when more than N rows are rejected; -1: any number") \
    OPTION(REJECTS_FILE, .flag = "rejects-file", .environment = "REJECTS_FILE", .programs = P, .metavar = "FILE", \
           .help = "backfill: where rejected rows go; default: <input>.rejects beside the input") \
    OPTION(TRAIN_MAX_REJECTS, .flag = "max-rejects", .type = OPTION_INTEGER, .fallback = "0", .programs = T, .metavar = "N", \
           .help = "train, evaluate: leave out up to N rows that have faults, and say which; -1: any number") \
    OPTION(NO_VALIDATE, .flag = "no-validate", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: send rows that validation would refuse (where they can be encoded)") \
    OPTION(PARTIAL, .flag = "partial", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: rows are CHANGED events of the columns that the table has; all others stay as the current records have them") \
    OPTION(NO_IDS, .flag = "no-ids", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: send rows without an employee id, as employees row-LINE, although current records are kept (--state-topic)") \
    OPTION(SCORED_BEFORE, .flag = "scored-before", .programs = P, .metavar = "TIME", \
           .help = "rescore: only whoever was scored last before TIME, or never: 2026-11-27T10:00:00Z, or an age such as 24h") \
    OPTION(WHERE, .flag = "where", .programs = P, .repeats = true, .metavar = "FIELD=VALUE", \
           .help = "rescore: only whose current record has VALUE in FIELD, or no value there (FIELD=). Repeatable: of one field any value will do, of several fields all must") \
    OPTION(EVENT_TYPE, .flag = "event-type", .fallback = "SNAPSHOT", .programs = P, .metavar = "TYPE", .only = "backfill generate", \
           .help = "event type of the events sent") \
    OPTION(COUNT, .flag = "count", .type = OPTION_INTEGER, .fallback = "1000", .minimum = "1", .programs = P, .metavar = "N", \
           .help = "generate: how many employees") \
    OPTION(SEED, .flag = "seed", .type = OPTION_INTEGER, .fallback = "0", .programs = P | T, .metavar = "N", .only = "generate", \
           .help = "seed of every random choice") \
    OPTION(RECIPE, .flag = "recipe", .fallback = "producer/recipe.json", .programs = P, .shipped = true, .metavar = "FILE", \
           .help = "generate: the tables to draw from") \
    OPTION(FORMAT, .flag = "format", .programs = P, .metavar = "FORMAT", .only = "backfill generate", \
           .help = "input or output form: csv, jsonl or avro; default: by the file's content and name") \
    OPTION(FROM_QUERY, .flag = "from-query", .programs = P, .metavar = "SQL", \
           .help = "backfill: the rows of this query on SOURCE_DATABASE_URL instead of files; columns are found by their names") \
    OPTION(SOURCE_DATABASE_URL, .flag = "source-database-url", .environment = "SOURCE_DATABASE_URL", .programs = P, .secret = true, .metavar = "CONNINFO", \
           .help = "backfill: libpq connection string of the database that --from-query reads, in a read-only transaction") \
    OPTION(DELIMITER, .flag = "delimiter", .environment = "DELIMITER", .programs = P, .metavar = "CHARACTER", \
           .help = "backfill: what separates the fields of a CSV, or the word tab; default: found (comma, semicolon, tab or |)") \
    OPTION(ENCODING, .flag = "encoding", .environment = "ENCODING", .programs = P, .metavar = "NAME", \
           .help = "backfill: encoding of text files, such as windows-1252; default: UTF-8, or UTF-16 where it is found") \
    OPTION(DECIMAL_COMMA, .flag = "decimal-comma", .environment = "DECIMAL_COMMA", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: numbers of a CSV have a decimal comma (1,5); not where the comma is the delimiter") \
    OPTION(NULL_VALUES, .flag = "null-values", .environment = "NULL_VALUES", .programs = P | T, .metavar = "LIST", .only = "backfill train describe evaluate", \
           .help = "texts of a table that mean a missing value, such as NA,NULL,NaN,#N/A,-; default: the empty text only") \
    OPTION(OUTPUT, .flag = "out", .programs = P | T, .metavar = "FILE", \
           .help = "generate: write to FILE instead of sending: .csv, .jsonl, .json or .avro, also with .gz or .zst; train: only write the model file; describe: write the HTML report; table: write the table; default: to standard output") \
    OPTION(LIFE, .flag = "life", .type = OPTION_DURATION, .fallback = "0s", .maximum = "36600d", .or_zero = true, .programs = P, .metavar = "TIME", \
           .help = "generate: the events of a staff of --count over TIME (such as 730d): hires, changes, exits by the planted risk; 0: one event an employee") \
    OPTION(START, .flag = "start", .programs = P, .metavar = "TIME", \
           .help = "generate: when --life begins, or what a file's events occur at; default: --life before 2026-01-01") \
    OPTION(CHANGES, .flag = "changes", .type = OPTION_WORD, .words = {"whole", "partial"}, .fallback = "whole", .programs = P, .metavar = "FORM", \
           .help = "generate: with --life: changes as whole records, or as partial events that list what has changed") \
    OPTION(ARRIVAL, .flag = "arrival", .type = OPTION_WORD, .words = {"steady", "bursts", "daily"}, .fallback = "steady", .programs = P, .metavar = "SHAPE", \
           .help = "generate: how events come: steady; in bursts (each week's in its first tenth, with --rate ten seconds'); or daily, within ten hours (from 8 to 18 o'clock)") \
    OPTION(DRIFT, .flag = "drift", .programs = P, .metavar = "FEATURE=SHIFT@TIME,…", \
           .help = "generate: shift what is drawn from TIME on (without @TIME: always): a number to add, or CATEGORY:SHARE that becomes CATEGORY") \
    OPTION(BIAS, .flag = "bias", .programs = P, .metavar = "FEATURE=CATEGORY:LOGIT@TIME,…", \
           .help = "generate: add LOGIT to the planted risk of everybody in CATEGORY, from TIME on (without @TIME: always): a group that leaves more often than its attributes say") \
    OPTION(POISON_CODES, .flag = "poison-codes", .programs = P, .metavar = "CODE,…", \
           .help = "generate: with --poison: only what is refused under these codes; default: all kinds in turn") \
    OPTION(POISON, .flag = "poison", .type = OPTION_SHARE, .fallback = "0", .minimum = "0", .maximum = "1", .programs = P, .metavar = "SHARE", \
           .help = "generate: share of events made unreadable or invalid on purpose, for tests") \
    OPTION(CODE, .flag = "code", .programs = P, .metavar = "CODE", \
           .help = "dlq: only dead letters of this error code") \
    OPTION(FIELD, .flag = "field", .programs = P, .metavar = "NAME", \
           .help = "dlq: only dead letters whose fault is in this attribute") \
    OPTION(SINCE, .flag = "since", .programs = P, .metavar = "TIME", \
           .help = "dlq: only what failed first at TIME or later: 2026-11-23T10:00:00Z, or an age such as 24h") \
    OPTION(PARTITION, .flag = "partition", .type = OPTION_INTEGER, .fallback = "-1", .minimum = "-1", .maximum = "2147483647", .programs = P, .metavar = "N", \
           .help = "dlq: only this partition; -1: all") \
    OPTION(JSON, .flag = "json", .type = OPTION_FLAG, .programs = P, \
           .help = "dlq: answer in JSON, one object a line") \
    OPTION(MAX_REPLAYS, .flag = "max-replays", .type = OPTION_INTEGER, .fallback = "3", .minimum = "0", .programs = P, .metavar = "N", \
           .help = "dlq: replay nothing that was replayed N times already") \
    OPTION(DRY_RUN, .flag = "dry-run", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: validate every row, write the rejects, send nothing; dlq: say what would be replayed, send nothing; rescore: say how many would be scored again, send nothing") \
    OPTION(RESUME, .flag = "resume", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill: go on where an earlier run of the same inputs stopped; nothing known of it: from the first row") \
    OPTION(WAIT, .flag = "wait", .type = OPTION_FLAG, .programs = P, \
           .help = "backfill, generate, rescore: follow every event to its prediction, dead letter or outcome, and sum up; status 1 if one is missing") \
    OPTION(WAIT_TIMEOUT, .flag = "wait-timeout", .environment = "WAIT_TIMEOUT", .type = OPTION_DURATION, .fallback = "10m", .minimum = "1s", .maximum = "30d", .programs = P, .metavar = "TIME", \
           .help = "backfill, generate, rescore: with --wait: give up when no further event has come to its end for TIME") \
    OPTION(RATE, .flag = "rate", .environment = "RATE", .type = OPTION_INTEGER, .fallback = "0", .minimum = "0", .maximum = "100000000", .programs = P, .metavar = "N", \
           .help = "backfill, generate, rescore: send at most N events a second; 0: as fast as the brokers take them") \
    OPTION(AGAIN, .flag = "again", .type = OPTION_FLAG, .programs = P, \
           .help = "dlq: replay also what was replayed before") \
    OPTION(FORCE, .flag = "force", .type = OPTION_FLAG, .programs = P, \
           .help = "dlq: replay also events that are older than their employee's current record in --state-topic") \
    OPTION(REPLAY_GROUP, .flag = "replay-group", .environment = "REPLAY_GROUP", .fallback = "attrition-dlq-replay", .programs = P, .metavar = "GROUP", \
           .help = "dlq: consumer group whose offsets remember what was replayed") \
    OPTION(MODEL_KIND, .flag = "model", .programs = T, .metavar = "KIND", \
           .help = "logistic-regression, logistic-regression-l2, random-forest or gradient-boosting") \
    OPTION(MODEL_NAME, .flag = "name", .environment = "MODEL_NAME", .fallback = "attrition", .programs = T | R, .metavar = "NAME", \
           .help = "registered model") \
    OPTION(ALIAS, .flag = "alias", .environment = "MODEL_ALIAS", .fallback = "production", .programs = T | R, .metavar = "ALIAS", \
           .help = "alias to set") \
    OPTION(EXPERIMENT, .flag = "experiment", .environment = "MLFLOW_EXPERIMENT_NAME", .fallback = "attrition", .programs = T | R, .metavar = "NAME", \
           .help = "experiment the run belongs to") \
    OPTION(GOLDEN, .flag = "golden", .programs = R, .metavar = "FILE", \
           .help = "import: JSON Lines of {\"attributes\":{…},\"probability\":p} of the source model's predict_proba that the file must reproduce, now and at every load") \
    OPTION(GOLDEN_FROM, .flag = "golden-from", .type = OPTION_WORD, .words = {[GOLDEN_FROM_SOURCE] = "source", [GOLDEN_FROM_FILE] = "file"}, .fallback = "source", .programs = R, .metavar = "WHAT", \
           .help = "import: what gave the probabilities of --golden: the source model's predict_proba, or another runtime with this very file, where that is known to differ from its source") \
    OPTION(BACKGROUND, .flag = "background", .programs = R, .metavar = "FILE", \
           .help = "import: CSV or JSON Lines of employees, from which the reasons' reference is taken") \
    OPTION(REPLAY, .flag = "replay", .type = OPTION_INTEGER, .fallback = "0", .minimum = "0", .maximum = "1000000000", .programs = R, .only = "promote", .metavar = "N", \
           .help = "score the last N logged inputs by this version and the one in use, and show what would change") \
    OPTION(REQUIRE, .flag = "require", .programs = R, .repeats = true, .only = "promote", .metavar = "NAME<=X", \
           .help = "move the alias only if the replay keeps to it, such as flips<=0.05 or impact_ratio>=0.8 (docs/TRAINING.md)") \
    OPTION(PROMOTE, .flag = "promote", .type = OPTION_FLAG, .programs = T, \
           .help = "train: set the alias even if another version has it") \
    OPTION(AS_OF, .flag = "as-of", .programs = T, .repeats = true, .only = "table retrain", .metavar = "DATE", \
           .help = "a day or time (UTC without a zone) at which the records of the log are taken; default: the last one whose horizon has passed") \
    OPTION(CHALLENGER_ALIAS, .flag = "challenger-alias", .fallback = "challenger", .programs = T, .only = "retrain", .metavar = "ALIAS", \
           .help = "alias that the new version gets; --alias names the version in use, which stays") \
    OPTION(HORIZON, .flag = "horizon", .type = OPTION_DURATION, .fallback = "180d", .minimum = "1s", .maximum = "36600d", .programs = T, .only = "table retrain", .metavar = "TIME", \
           .help = "how long after its date an exit makes a record positive; the label is known when it has passed") \
    OPTION(KNOWN_SINCE, .flag = "known-since", .type = OPTION_WORD, .words = {"scored", "occurred"}, .fallback = "scored", .programs = T, .only = "table retrain", .metavar = "WHICH", \
           .help = "from when on a record counts as known: when it was scored, or when it occurred, for a history that was sent later") \
    OPTION(THRESHOLD, .flag = "threshold", .fallback = "max-f1", .programs = T, .metavar = "RULE", \
           .help = "max-f1, recall=0.8, precision=0.6, share=0.1 (of all rows called), cost=5:1 (a missed one costs five false alarms) or a number from 0 to 1") \
    OPTION(EXCLUDE, .flag = "exclude", .programs = T, .repeats = true, .only = "train retrain", .metavar = "FIELD", \
           .help = "keep this column out of the model; groups are still compared by it; repeatable") \
    OPTION(RUN_NAME, .flag = "run-name", .programs = T, .only = "train retrain", .metavar = "NAME", \
           .help = "name of the run; default: the kind of model") \
    OPTION(DESCRIPTION, .flag = "description", .programs = T, .only = "train retrain", .metavar = "TEXT", \
           .help = "description of the run, as MLflow shows it") \
    OPTION(TAG, .flag = "tag", .programs = T, .repeats = true, .only = "train retrain", .metavar = "KEY=VALUE", \
           .help = "a tag of the run; repeatable") \
    OPTION(CALIBRATE, .flag = "calibrate", .type = OPTION_WORD, .words = {"none", "sigmoid", "isotonic"}, .fallback = "none", .programs = T, .only = "train retrain", .metavar = "HOW", \
           .help = "correct the probabilities by a sigmoid (Platt) or isotonic regression (no reasons then), fitted to predictions on folds of the training rows") \
    OPTION(SEARCH, .flag = "search", .type = OPTION_INTEGER, .minimum = "1", .maximum = "1000", .programs = T, .only = "train", .metavar = "N", \
           .help = "choose the kind's parameters among N random draws by successive halving (docs/TRAINING.md); those of --param stay; the same command goes on where it was ended") \
    OPTION(PERMUTATIONS, .flag = "permutations", .type = OPTION_INTEGER, .fallback = "5", .minimum = "0", .maximum = "100", .programs = T, .only = "train retrain evaluate", .metavar = "N", \
           .help = "shuffle each column N times, in each fold, to measure what the AUC loses by it; 0: neither that nor partial dependence") \
    OPTION(FOLDS, .flag = "folds", .type = OPTION_INTEGER, .fallback = "5", .minimum = "2", .maximum = "20", .or_zero = true, .programs = T, .metavar = "N", \
           .help = "train: folds of the cross-validation; 0: none") \
    OPTION(REPEATS, .flag = "repeats", .type = OPTION_INTEGER, .fallback = "1", .minimum = "1", .maximum = "100", .programs = T, .metavar = "N", \
           .help = "train: how many times the rows are split into folds, each time differently") \
    OPTION(TEST_SIZE, .flag = "test-size", .type = OPTION_SHARE, .fallback = "0", .minimum = "0", .maximum = "0.9", .programs = T, .only = "train", .metavar = "SHARE", \
           .help = "train: hold out this share of the rows from all fitting and choosing, and evaluate the model by it") \
    OPTION(FOLDS_OUT, .flag = "folds-out", .programs = T, .metavar = "FILE", \
           .help = "train: write which row is in which fold, as CSV") \
    OPTION(THREADS, .flag = "threads", .environment = "TRAINER_THREADS", .type = OPTION_INTEGER, .fallback = "0", .minimum = "0", .maximum = "1024", .programs = T, .metavar = "N", \
           .help = "threads that fit; 0: as many as there are processors; the results are the same") \
    OPTION(SORT, .flag = "sort", .fallback = "roc_auc", .programs = T, .metavar = "METRIC", \
           .help = "compare: the metric to sort by") \
    OPTION(TRAINER_JSON, .flag = "json", .type = OPTION_FLAG, .programs = T, \
           .help = "compare, describe, evaluate: answer in JSON") \
    OPTION(AGAINST, .flag = "against", .programs = T, .metavar = "FILE", \
           .help = "describe: compare the table with this one, column by column") \
    OPTION(SAMPLE_ROWS, .flag = "sample-rows", .type = OPTION_INTEGER, .fallback = "0", .minimum = "0", .maximum = "20", .programs = T, .metavar = "N", \
           .help = "describe: show N rows of the table, which are people's data, without the identifier")
/* clang-format on */
