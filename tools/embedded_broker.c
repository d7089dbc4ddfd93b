/* The embedded broker of `make run`: librdkafka's mock cluster in a process of its own.
 *
 * deploy/run.sh and the component tests start it, read the address file it leaves once clients can connect, and end it
 * with TERM. It ends by itself when its parent dies, so that no run leaves one behind.
 * It keeps everything in memory, 5 MiB a partition, and its transactions do nothing: a scorer here runs at-least-once.
 * It must never be taken for Apache Kafka by a test of exactly-once. */
#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"

enum { MAX_TOPICS = 32, MAX_PARTITIONS = 256 };

struct topic {
    char name[250]; /* Kafka's own limit is 249 characters */
    int partitions;
};

struct arguments {
    const char *address_file;
    struct topic topics[MAX_TOPICS];
    size_t topic_count;
};

static const char usage_text[] =
    "usage: embedded-broker --address-file FILE [--topic NAME:PARTITIONS]...\n"
    "Runs a Kafka broker in memory (librdkafka's mock cluster) on a free loopback port and writes its\n"
    "address to FILE once it can be reached. Runs until TERM, INT or the end of the process that started it.\n";

/* NAME:PARTITIONS */
static enum status topic_parse(const char *text, struct topic *out, struct error *err)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof out->name)
        return error_set(err, STATUS_INVALID, "--topic %s: write NAME:PARTITIONS, such as employee-events:4", text);
    char *end;
    errno = 0;
    long partitions = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end || errno || partitions < 1 || partitions > MAX_PARTITIONS)
        return error_set(err, STATUS_INVALID, "--topic %s: the number of partitions is 1 to %d", text, MAX_PARTITIONS);
    memcpy(out->name, text, (size_t)(colon - text));
    out->name[colon - text] = 0;
    out->partitions = (int)partitions;
    return STATUS_OK;
}

static enum status arguments_parse(int argc, char **argv, struct arguments *out, struct error *err)
{
    static const struct option flags[] = {{"address-file", required_argument, NULL, 'a'},
                                          {"topic", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int flag;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        switch (flag) {
        case 'a':
            out->address_file = optarg;
            break;
        case 't':
            if (out->topic_count == MAX_TOPICS)
                return error_set(err, STATUS_LIMIT, "--topic: at most %d topics", MAX_TOPICS);
            if (topic_parse(optarg, &out->topics[out->topic_count], err) != STATUS_OK)
                return err->status;
            out->topic_count++;
            break;
        case 'h':
            fputs(usage_text, stdout);
            exit(0);
        default:
            return error_set(err, STATUS_INVALID, "unknown argument; see --help");
        }
    }
    if (optind < argc)
        return error_set(err, STATUS_INVALID, "%s: unexpected argument; see --help", argv[optind]);
    if (!out->address_file)
        return error_set(err, STATUS_INVALID, "--address-file is missing; see --help");
    return STATUS_OK;
}

static enum status cluster_new(const struct arguments *arguments, rd_kafka_t **client,
                               rd_kafka_mock_cluster_t **cluster, struct error *err)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* Warnings and worse: the notice that this client has no servers to connect to is no news here. */
    if (rd_kafka_conf_set(conf, "log_level", "4", reason, sizeof reason))
        log_warn("embedded-broker", "log_level: %s", reason);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, STATUS_UNAVAILABLE, "librdkafka did not start: %s", reason);
    }
    rd_kafka_mock_cluster_t *mock = rd_kafka_mock_cluster_new(rk, 1);
    if (!mock) {
        rd_kafka_destroy(rk);
        return error_set(err, STATUS_UNAVAILABLE, "the mock cluster did not start: is the loopback interface up?");
    }
    for (size_t i = 0; i < arguments->topic_count; i++) {
        const struct topic *topic = &arguments->topics[i];
        rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock, topic->name, topic->partitions, 1);
        if (!code)
            continue;
        rd_kafka_mock_cluster_destroy(mock);
        rd_kafka_destroy(rk);
        return error_set(err, STATUS_INVALID, "topic %s: %s", topic->name, rd_kafka_err2str(code));
    }
    *client = rk;
    *cluster = mock;
    return STATUS_OK;
}

/* Whole or not at all: written beside it, then renamed. */
static enum status address_write(const char *path, const char *address, struct error *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return error_set(err, STATUS_LIMIT, "--address-file: the path is too long");
    FILE *file = fopen(temporary, "w");
    if (!file)
        return error_set(err, STATUS_IO, "cannot write %s: %s", temporary, strerror(errno));
    int written = fprintf(file, "%s\n", address);
    if (fclose(file) || written < 0 || rename(temporary, path))
        return error_set(err, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
    return STATUS_OK;
}

/* Returns on TERM or INT, or when another process has become the parent. */
static void wait_for_end(const sigset_t *signals, pid_t parent)
{
    const struct timespec look_again = {.tv_nsec = 200 * 1000 * 1000};
    while (getppid() == parent) {
        if (sigtimedwait(signals, NULL, &look_again) > 0)
            return;
    }
}

int main(int argc, char **argv)
{
    pid_t parent = getppid();
    struct arguments arguments = {0};
    struct error err = {0};
    if (arguments_parse(argc, argv, &arguments, &err) != STATUS_OK) {
        log_error("embedded-broker", "%s", err.text);
        return 2;
    }
    /* A shell ignores INT for what it starts in the background, and what is ignored is not waited for either. Blocked
     * before the first thread exists, so that all threads inherit it. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    rd_kafka_t *client = NULL;
    rd_kafka_mock_cluster_t *cluster = NULL;
    enum status status = cluster_new(&arguments, &client, &cluster, &err);
    if (status == STATUS_OK)
        status = address_write(arguments.address_file, rd_kafka_mock_cluster_bootstraps(cluster), &err);
    if (status == STATUS_OK)
        wait_for_end(&signals, parent);
    else
        log_error("embedded-broker", "%s", err.text);
    if (cluster) {
        unlink(arguments.address_file);
        rd_kafka_mock_cluster_destroy(cluster);
        rd_kafka_destroy(client);
    }
    return status != STATUS_OK ? 1 : 0;
}
