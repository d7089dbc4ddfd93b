/* What the simulated PostgreSQL (database.c) and libpq's functions (libpq.c) share; pg_conn and pg_result are libpq's.
 */
#pragma once

#include <libpq-fe.h>

#include "tests/sim/sim.h"

enum { STATEMENTS_MOST = 16, RESULTS_MOST = 64, VALUES_MOST = 3 * TOPICS * PARTITIONS_MOST };

struct pg_result {
    ExecStatusType status;
    char code[6], message[120], command[24];
    char *values[VALUES_MOST];
    int rows, columns;
};

enum statement_kind {
    SELECT_ONE,
    SELECT_MIGRATIONS,
    SELECT_OFFSETS,
    BEGIN,
    ADVANCE,
    COPY,
    COPY_END,
    OTHER,
    COMMIT,
    ROLLBACK,
    SYNC
};

struct statement {
    enum statement_kind kind;
    char *values[8];
    char *sql;
};

struct pg_conn {
    struct pg_conn *next;
    struct proc *proc;
    int fd;
    bool lost; /* it is gone; shows only where something is sent or read */
    bool bad, pipeline, broken_pipeline, connected, pumping, finished;
    PGTransactionStatusType state;
    struct statement statements[STATEMENTS_MOST];
    int statement_count;
    struct pg_result *results[RESULTS_MOST];
    int result_count;
    struct buffer copy;
    char *copy_target;
    struct row *rows; /* of the open transaction */
    int64_t row_count, row_capacity;
    bool moves[TOPICS][PARTITIONS_MOST];
    struct offset_row moved[TOPICS][PARTITIONS_MOST];
};
extern struct pg_conn *connections;

void database_make(void);
bool database_up(void);
void connection_cut(PGconn *connection);
enum statement_kind statement_kind_of(const char *sql);
/* The server runs what was sent, some time later. */
void connection_work(PGconn *connection);
