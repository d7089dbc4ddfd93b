/* What people call a run and say of it: --run-name, --description, --tag KEY=VALUE. */
#pragma once

#include "base/memory.h"
#include "base/options.h"
#include "registry/registry.h"

enum { RUN_LABELS_TAGS_MOST = 32, RUN_LABELS_TEXT_MOST = 5000 };

struct run_labels {
    const char *name, *description; /* NULL: not given; the options' */
    struct run_pair tags[RUN_LABELS_TAGS_MOST];
    size_t tag_count;
    struct arena texts;
};

/* STATUS_INVALID: a tag that is none, one twice, or one that the trainer or MLflow sets itself; texts that are too
 * long. Free with run_labels_clear. */
MUST_USE enum status run_labels_read(const struct options *options, struct run_labels *out, struct error *err);
void run_labels_clear(struct run_labels *labels);
