/* POST /events, where the answer is not what the route gave: its events were not written. */
#pragma once

#include "scorer/http/event_sender.h"
#include "scorer/http/request.h"

/* 503 at once: nothing is sent, for this reason. */
void events_answer_refused(struct answer *answer, const char *reason);
/* 503 for what is not EVENTS_COMMITTED, in place of the 202 that the answer holds. */
void events_answer_unkept(struct answer *answer, enum event_sent result);
