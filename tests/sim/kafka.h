/* What the fake client library's files share. The structs are librdkafka's opaque ones. */
#pragma once

#include "tests/sim/sim.h"

enum { PROPERTIES_MOST = 64, INTERCEPTORS_MOST = 8 };

struct property {
    char name[64], value[256];
};

struct rd_kafka_conf_s {
    struct property properties[PROPERTIES_MOST];
    int property_count;
    void *opaque;
    void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *);
    void (*on_rebalance)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *, void *);
    void (*on_error)(rd_kafka_t *, int, const char *, void *);
    struct {
        rd_kafka_interceptor_f_on_new_t *call;
        void *opaque;
    } on_new[INTERCEPTORS_MOST];
    int on_new_count;
};

struct rd_kafka_error_s {
    rd_kafka_resp_err_t code;
    char text[200];
    bool fatal, retriable, abort;
};

struct header {
    char *name;
    void *value;
    size_t bytes;
};
struct rd_kafka_headers_s {
    struct header *items;
    size_t count, capacity;
};

struct rd_kafka_topic_s {
    rd_kafka_t *client;
    const char *name;
    int references;
};

struct rd_kafka_queue_s {
    rd_kafka_t *client;
    int32_t partition;            /* of the input; -1: the consumer's; -2: one of its own */
    struct rd_kafka_op_s *answer; /* to be polled */
};

struct rd_kafka_op_s {
    int type;
    rd_kafka_resp_err_t code;
    rd_kafka_topic_partition_list_t *list;
    const char *const *members; /* ids, at the time of the question */
    size_t member_count;
};

struct rd_kafka_consumer_group_metadata_s {
    struct member *member;
    int generation;
};

/* A message as handed out: librdkafka's public part, and where it came from. */
struct message {
    rd_kafka_message_t shown; /* first */
    const struct record *record;
    char text[240];
};

struct outgoing {
    struct record *record;
    void *opaque;
    rd_kafka_topic_t *topic;
    int32_t partition;
};
struct report {
    struct outgoing of;
    rd_kafka_resp_err_t code;
};

struct part {
    bool on, apart, paused, complained; /* apart: its queue is forwarded to nobody */
    int64_t position, ready_us;
    int64_t placed;       /* where it was last set to read from */
    int64_t end_reported; /* -1: not */
};

enum api {
    API_PRODUCE = 0,
    API_LIST_OFFSETS = 2,
    API_METADATA = 3,
    API_COMMIT = 8,
    API_COMMITTED = 9,
    API_DESCRIBE_GROUPS = 15,
    API_INIT = 22,
    API_ADD_PARTITIONS = 24,
    API_ADD_OFFSETS = 25,
    API_END = 26,
    API_OFFSETS = 28
};

enum producer_state { PRODUCER_NEW, PRODUCER_READY, PRODUCER_OPEN, PRODUCER_ABORTABLE, PRODUCER_FATAL };

/* In a partition's numbering of records: of the open transaction, or of the one before. */
enum gap { GAP_NONE, GAP_NOW, GAP_BEFORE };

struct rd_kafka_s {
    struct rd_kafka_s *next;
    rd_kafka_type_t type;
    struct rd_kafka_conf_s conf;
    struct proc *proc;
    char name[64];
    bool destroyed, cluster_known;
    rd_kafka_resp_err_t fatal;
    char fatal_text[200];
    rd_kafka_topic_t handles[TOPICS];
    struct {
        rd_kafka_interceptor_f_on_request_sent_t *call;
        void *opaque;
    } on_sent[INTERCEPTORS_MOST];
    struct {
        rd_kafka_interceptor_f_on_response_received_t *call;
        void *opaque;
    } on_answered[INTERCEPTORS_MOST];
    struct {
        rd_kafka_interceptor_f_on_acknowledgement_t *call;
        void *opaque;
    } on_acked[INTERCEPTORS_MOST];
    int on_sent_count, on_answered_count, on_acked_count;
    rd_kafka_interceptor_f_on_destroy_t *on_destroy; /* NULL: none */
    void *on_destroy_opaque;
    int64_t requests_sent;
    int coordinator_term; /* of the group's coordinator that it keeps asking; 0: none yet */
    /* producer */
    struct coordinator *coordinator; /* NULL: not transactional */
    int epoch;
    enum producer_state state;
    struct outgoing *queue;
    size_t queue_count, queue_capacity;
    struct report *reports;
    size_t report_count, report_capacity;
    bool draining;
    bool added[TOPICS][PARTITIONS_MOST];
    enum gap gaps[TOPICS][PARTITIONS_MOST];
    int requests; /* of the open transaction */
    char why[200];
    rd_kafka_resp_err_t why_code;
    /* consumer */
    bool subscribed[TOPICS], committed_reads, closing, closed, lost, yielded, joins_late, stays_out;
    bool noticed;      /* that the session is over */
    int64_t looked_us; /* when that was last decided */
    struct member *member;
    struct part parts[TOPICS][PARTITIONS_MOST];
    int turn;
    rd_kafka_queue_t queue_of_consumer;
};

extern rd_kafka_t *clients;

const char *conf_value(const struct rd_kafka_conf_s *conf, const char *name, const char *otherwise);
rd_kafka_error_t *error_make(rd_kafka_resp_err_t code, const char *text, bool fatal, bool retriable, bool abort);
void request_sent(rd_kafka_t *client, int16_t api);
void request_answered(rd_kafka_t *client, int16_t api, rd_kafka_resp_err_t code);
int topic_index(const char *name);
/* The metadata of an offset; takes the text, which may be NULL. */
void note_set(rd_kafka_topic_partition_t *element, char *note);
void error_last_set(rd_kafka_resp_err_t code);
void client_fail(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *text);
/* Asks the broker something, and waits until it answers; false: not before the deadline. */
bool ask_broker(rd_kafka_t *client, int16_t api, int64_t deadline_us);
/* The same, without a request that interceptors see. */
bool wait_for_broker(int64_t deadline_us);
struct message *message_make(rd_kafka_t *client, const struct record *record);
rd_kafka_topic_t *handle_of(rd_kafka_t *client, enum topic_id topic);
