/* A PostgreSQL of the test's own, started by deploy/private-postgres and ended with the test process.
 *
 * For component tests, run from the project's root. Everything asserts: without a server there is no test. */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "tests/support/test.h"

struct postgres {
    char directory[64];
    char url[256];
    pid_t pid; /* 0: not running */
};

/* Starts the server (again) on its directory and waits until it answers. */
static inline void postgres_start(struct postgres *postgres)
{
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        char log[80];
        snprintf(log, sizeof log, "%s.log", postgres->directory);
        if (freopen(log, "a", stderr) && freopen("/dev/null", "w", stdout))
            execl("deploy/private-postgres", "private-postgres", "serve", postgres->directory, "-c", "fsync=off", "-c",
                  "max_connections=40", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    postgres->pid = pid;
    for (int attempt = 0; PQping(postgres->url) != PQPING_OK; attempt++) {
        if (attempt == 600 || waitpid(pid, NULL, WNOHANG) == pid)
            fail_msg("PostgreSQL did not start in %s: see %s.log", postgres->directory, postgres->directory);
        usleep(20000);
    }
}

/* Ends it at once, as a crash would: transactions under way are lost, committed ones are not. */
static inline void postgres_crash(struct postgres *postgres)
{
    if (!postgres->pid)
        return;
    kill(postgres->pid, SIGQUIT);
    waitpid(postgres->pid, NULL, 0);
    postgres->pid = 0;
}

/* Runs SQL in one connection of its own; returns the first field of the last result, the caller's to free(). */
static inline char *postgres_text(const struct postgres *postgres, const char *sql)
{
    PGconn *connection = PQconnectdb(postgres->url);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    char *text = strdup(status == PGRES_TUPLES_OK && PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return text;
}

static inline void postgres_run(const struct postgres *postgres, const char *sql)
{
    free(postgres_text(postgres, sql));
}

static inline long long postgres_number(const struct postgres *postgres, const char *sql)
{
    char *text = postgres_text(postgres, sql);
    long long number = atoll(text);
    free(text);
    return number;
}

static inline int postgres_migrate(const struct postgres *postgres)
{
    char command[400];
    snprintf(command, sizeof command, "sql/migrate '%s' >>%s.log 2>&1", postgres->url, postgres->directory);
    return system(command);
}

/* Makes a directory and starts a server with an empty database in it. */
static inline void postgres_make(struct postgres *postgres)
{
    snprintf(postgres->directory, sizeof postgres->directory, "/tmp/attrition-test-XXXXXX");
    assert_non_null(mkdtemp(postgres->directory));
    assert_int_equal(chmod(postgres->directory, 0755), 0);
    snprintf(postgres->url, sizeof postgres->url, "postgresql:///attrition?host=%s/pg/socket&user=postgres",
             postgres->directory);
    size_t bytes = strlen(postgres->directory);
    snprintf(postgres->directory + bytes, sizeof postgres->directory - bytes, "/pg");
    postgres_start(postgres);
}

static inline void postgres_remove(struct postgres *postgres)
{
    char command[160];
    postgres_crash(postgres);
    *strrchr(postgres->directory, '/') = 0;
    snprintf(command, sizeof command, "rm -rf '%s'", postgres->directory);
    assert_int_equal(system(command), 0);
}
