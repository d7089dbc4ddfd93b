/* Who owns a transactional.id: a producer that initialises it fences whoever owned it before. */
#pragma once

#include "base/status.h"
#include "kafka/transaction_setup.h"

/* Fences earlier producers of the identity, and ends or waits for what they left open. Waits for brokers until *stop;
 * *code is the last answer. */
MUST_USE enum status transaction_identity_take(const struct transaction_setup *setup, rd_kafka_t *producer,
                                               rd_kafka_resp_err_t *code, struct error *err);
/* Whether no other process has taken our place, so that the identity may be taken again: the group is asked whether we
 * are its member; without a member, not to be fenced is enough. Never decided by elapsed time. STATUS_CONFLICT: another
 * has. */
MUST_USE enum status transaction_identity_check(const struct transaction_setup *setup, bool fenced, struct error *err);
