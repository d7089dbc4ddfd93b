/* User and password of the clients that are running, after their files were read again (SIGHUP).
 *
 * librdkafka uses them from its next connection to a broker on; connections that stand are not asked again.
 * Certificates, keys and the secrets of OAUTHBEARER are read by librdkafka when a client is made: a restart takes new
 * ones. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "base/status.h"

/* The conf's client is known from its birth to its end. Called by kafka_conf for each. */
MUST_USE enum status credentials_watch(rd_kafka_conf_t *conf, struct error *err);

/* The conf of a client that is running, for another of the same credentials: they may be exchanged meanwhile. *out is
 * the caller's, on success. */
MUST_USE enum status credentials_conf_copy(rd_kafka_t *client, rd_kafka_conf_t **out, struct error *err);

/* Gives all clients that are running the user and password of now; logs what they cannot take. Any thread, one at a
 * time. */
void kafka_renew_credentials(const struct options *options);
