/* The report's list of files: see report.h. Called by register.c, once a run. Pure. */
#include "trainer/report/report.h"

#include "trainer/report/drift.h"
#include "trainer/report/plots.h"
#include "trainer/report/report_parts.h"

static struct buffer *report_add_file(struct report *report, const char *path)
{
    struct report_file *file = &report->files[report->count++];
    file->path = path;
    return &file->bytes;
}

void report_make(const struct training *training, struct report *out)
{
    *out = (struct report){0};
    report_write_card(training, report_add_file(out, "model_card.md"));
    report_write_page(training, report_add_file(out, "report.html"));
    drift_write_reference(training->table, training->evaluation, report_add_file(out, "drift_reference.json"));
    for (const struct plot_kind *kind = plot_kinds; kind->path; kind++)
        if (plot_is_known(kind, training->evaluation))
            kind->draw(kind, training->evaluation, true, report_add_file(out, kind->path));
}

void report_clear(struct report *report)
{
    for (size_t f = 0; f < report->count; f++)
        buffer_free(&report->files[f].bytes);
    *report = (struct report){0};
}
