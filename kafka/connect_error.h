/* What it means when a broker and we do not get past the handshake, and what to do: librdkafka has one text for an
 * expired certificate, another host's and one of a stranger, and none for a port that speaks another protocol. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Notes why a broker's certificate is not trusted, which librdkafka's texts leave out. The conf becomes a client's. */
void connect_error_watch(rd_kafka_conf_t *conf);

/* Whether librdkafka reports the reason as a denial too (_SSL, _AUTHENTICATION), with the next poll. */
bool connect_error_is_denial(const char *reason);

/* librdkafka's reason as "BROKER: what is wrong; what to do". False: not one that is known, and out is the reason as it
 * is. */
bool connect_error_explain(const char *reason, char *out, size_t capacity);

/* For the end of a message: what to do about STATUS_DENIED; empty for the others. */
const char *connect_error_denied_hint(enum status status);
