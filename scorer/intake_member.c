/* Group membership of the intake: see intake_member.h. Called by intake.c on the score loop's thread, within rebalance
 * callbacks too. */
#include "scorer/intake_member.h"

#include <stdio.h>

#include "base/log.h"
#include "kafka/member.h"

enum { LOOKUP_MS = 2000 };

void intake_member_name(struct intake_member *member, const struct settings *settings, unsigned worker)
{
    snprintf(member->instance, sizeof member->instance, "%s-%u", settings->instance_id, worker);
}

void intake_member_note(struct intake_member *member, rd_kafka_t *consumer)
{
    char *id = rd_kafka_memberid(consumer);
    snprintf(member->id, sizeof member->id, "%s", id ? id : "");
    if (id)
        rd_kafka_mem_free(consumer, id);
}

enum status intake_member_check(const struct intake_member *member, rd_kafka_t *consumer, const char *group,
                                struct error *err)
{
    struct error problem;
    bool replaced = false;
    if (!member->id[0])
        return STATUS_OK;
    if (kafka_member_replaced(consumer, group, member->instance, member->id, LOOKUP_MS, &replaced, &problem))
        log_info("score", "partitions are lost; %s", problem.text);
    if (!replaced)
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "score: another process has joined group %s as instance %s while this one stood still; it goes "
                     "on, this one ends",
                     group, member->instance);
}
