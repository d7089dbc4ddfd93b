/* What the daemon says about itself, as text: JSON of /health and /health/ready.
 *
 * /health, all numbers since the start of this process:
 *   status        "ok", "degraded" (a loop waits for PostgreSQL or the schema registry) or "unavailable" (no model, no
 *                 Kafka)
 *   version, uptime_s, instance_id, roles[], delivery, draining
 *   model         null, or {name, version, alias, run_id, threshold, loaded_at (RFC 3339), problem (null or text)}
 *   kafka         {up}
 *   postgresql    null without the sink role, or {up}
 *   schema_registry  null where none is set, or {up, requests, partitions_waiting}
 *   state         null where no current records are kept, or {topic, employees, memory_bytes, partitions_restoring}
 *   loops         [{name, waits_for (nothing, kafka, postgresql, schema-registry), stalled_s (it has had work and
 *                 committed nothing for so long)}, …]
 *   events        {received, scored, dead_lettered, erased, outcome, returned, in_flight, lag}:
 *                 received = scored + dead_lettered + erased + outcome + repeated + returned + in_flight
 *   dead_letters  {code: count, …}, codes that occurred
 *   latency_us    {p50, p99}: upper bounds of the histogram's buckets, null before the first event
 *   sink          {records, predictions, dead_letters, erasures, outcomes, refused, skipped, in_flight}:
 *                 records = the sum of the others
 *   counters      every counter and gauge by its Prometheus name */
#pragma once

#include "base/json_writer.h"
#include "scorer/http/http.h"

/* Each appends to out and returns the HTTP status: 200 or 503. */
unsigned health_write(const struct http_view *view, struct buffer *out);
unsigned health_write_live(const struct http_view *view, struct buffer *out);
unsigned health_write_ready(const struct http_view *view, struct buffer *out);

/* The same pieces for GET /stream. */
void health_write_time(const char *name, int64_t real_us, struct json_writer *json);
/* Each writes the member of its name. */
void health_write_model(const struct http_view *view, struct json_writer *json);
void health_write_events(const struct http_view *view, struct json_writer *json);
void health_write_challengers(const struct http_view *view, struct json_writer *json);
void health_write_dead_letters(const struct http_view *view, struct json_writer *json);
void health_write_state(const struct http_view *view, struct json_writer *json);
/* Several members: version to draining; p50 and p99. */
void health_write_service(const struct http_view *view, struct json_writer *json);
void health_write_quantiles(const struct http_view *view, struct json_writer *json);
