/* The trials of a search as runs, nested in the run that the search ends in, and read back from there. */
#pragma once

#include "base/options.h"
#include "trainer/search.h"

struct search_runs;

/* Opens the registry of the options and finds what the same search (data, schema, settings, version of the trainer) has
 * recorded; one that has ended is begun again. Sets search->key and fills `store`. Close with search_runs_close, on
 * failure too. */
MUST_USE enum status search_runs_open(const struct options *options, const struct table *table, struct search *search,
                                      struct search_runs **out, struct trial_store *store, struct error *err);
/* The run that trials are nested in has failed, in the search or after it; runs may be NULL. */
void search_runs_fail(struct search_runs *runs);
void search_runs_close(struct search_runs *runs);

#define SEARCH_KEY_TAG "search.key" /* of the run that a search has ended in */
