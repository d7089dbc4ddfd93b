/* Taking a transactional.id: see transaction_identity.h. Called by kafka/transaction.c on its owner's thread. What it
 * uses of librdkafka: init_transactions, error_code, error_string, error_is_retriable, error_destroy. */
#include "kafka/transaction_identity.h"

#include <unistd.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "kafka/client.h"
#include "kafka/connect_error.h"
#include "kafka/member.h"

enum { CALL_MS = 10000, BACKOFF_US = 100000 };

enum status transaction_identity_take(const struct transaction_setup *setup, rd_kafka_t *producer,
                                      rd_kafka_resp_err_t *code, struct error *err)
{
    FAILPOINT("score.init");
    for (bool logged = false;; usleep(BACKOFF_US)) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(producer, CALL_MS);
        *code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!error)
            return STATUS_OK;
        bool again = rd_kafka_error_is_retriable(error) && !*setup->stop;
        error_set(err, kafka_status(*code), "%s: cannot start transactions as %s: %s%s", setup->where, setup->identity,
                  rd_kafka_error_string(error), connect_error_denied_hint(kafka_status(*code)));
        rd_kafka_error_destroy(error);
        if (!again)
            return err->status;
        if (!logged)
            log_warn(setup->where, "%s; trying again", err->text);
        logged = true;
    }
}

static enum status report_fenced(const struct transaction_setup *setup, struct error *err)
{
    if (!setup->member)
        return error_set(err, STATUS_CONFLICT, "%s: fenced: another process works as %s; it goes on, this one ends",
                         setup->where, setup->identity);
    return error_set(err, STATUS_CONFLICT,
                     "%s: fenced: another process has joined as instance %s of group %s; it goes on, this one ends",
                     setup->where, setup->instance, setup->group);
}

enum status transaction_identity_check(const struct transaction_setup *setup, bool fenced, struct error *err)
{
    const struct member_wait wait = {setup->stop, setup->where};
    bool member = !fenced;
    if (setup->identity && setup->member &&
        kafka_member_check(setup->member, setup->group, &wait, &member, err) != STATUS_OK)
        return error_prefix(err, "%s", setup->where);
    return member || !setup->identity ? STATUS_OK : report_fenced(setup, err);
}
