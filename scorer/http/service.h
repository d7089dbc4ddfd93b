/* What every route of the HTTP service works on. Inside of scorer/http/ only. */
#pragma once

#include "scorer/http/http.h"
#include "scorer/http/prediction_log.h"
#include "scorer/http/request.h"

struct access_log;
struct database;
struct event_sender;
struct figures;
struct list_totals;
struct route;
struct stream_rates;
struct stream_remote;

/* Made by the server, read-only afterwards; what it points at looks after its own threads. */
struct service {
    struct http_view view;
    struct prediction_log *prediction_log; /* NULL: predictions cannot be logged (a test without Kafka) */
    struct event_sender *event_sender;     /* likewise of posted events */
    const struct route *routes;            /* all of them */
    size_t route_count;
    struct access_log *access;    /* counts of requests */
    struct stream_remote *remote; /* the stream of another process; NULL: this one's is shown */
    struct stream_rates *rates;   /* event rates; NULL until it runs */
    struct buffer samples;        /* JSON list of sample employees */
    struct database *reads;       /* DATABASE_READ_URL; NULL, like the other: this process answers probes alone */
    struct list_totals *totals;   /* of lists that were counted */
    struct database *writes;      /* DATABASE_URL: who saw whom, and figures that are kept */
    struct figures *figures;      /* brings those up to date */
};

/* The routes. Each fills the answer; none waits for anything, but those that ask PostgreSQL, on threads of their own.
 * Those of POST may compute: on the work pool's threads, and with request_given_up between pieces. */
typedef void route_answer(const struct service *service, const struct request *request, struct answer *answer);

/* samples.json of the schema directory, or nothing: schema.c. A bad file is logged. */
void schema_read_samples(const struct settings *settings, struct buffer *out);

route_answer predict_answer;      /* predict.c */
route_answer events_answer;       /* events.c */
route_answer schema_answer;       /* schema.c */
route_answer employees_answer;    /* employees.c */
route_answer employee_answer;     /* employees.c */
route_answer alerts_answer;       /* alert_list.c */
route_answer groups_answer;       /* groups.c */
route_answer dead_letters_answer; /* dead_letters.c */
route_answer quality_answer;      /* quality.c */
route_answer model_answer;        /* model_promotion.c; and: */
route_answer promote_answer;
route_answer rollback_answer;
route_answer docs_answer;         /* docs.c */
route_answer openapi_answer;      /* openapi.c */
route_answer stream_answer;       /* stream_rates.c */
route_answer static_files_answer; /* static_files.c: GET / and what it needs */
route_answer infer_answer;        /* open_inference_infer.c; and open_inference.c: */
route_answer inference_server_answer;
route_answer inference_live_answer;
route_answer inference_ready_answer;
route_answer inference_model_answer;
route_answer inference_model_ready_answer;
