/* The interceptor's two steps: see acknowledgements.h. */
#include "kafka/acknowledgements.h"

#include <stdio.h>

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    const struct acknowledgements *of = opaque;
    (void)conf;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_acknowledgement(client, of->name, of->call, of->opaque);
    if (code)
        snprintf(text, capacity, "cannot see acknowledgements: %s", rd_kafka_err2str(code));
    return code;
}

enum status acknowledgements_watch(struct acknowledgements *acknowledgements, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_conf_interceptor_add_on_new(conf, acknowledgements->name, on_new, acknowledgements);
    return code ? error_set(err, STATUS_UNSUPPORTED, "this librdkafka does not show acknowledgements: %s",
                            rd_kafka_err2str(code))
                : STATUS_OK;
}
