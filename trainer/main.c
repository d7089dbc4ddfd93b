/* The trainer: a labelled table in, a registered model (or a model file) out. Fits run on several threads; what it
 * reads is the table and the schema, what it writes is the tracking store or one file. */
#include <malloc.h>

#include "base/options.h"
#include "trainer/commands.h"

enum { MAPPED_BYTES = 1 << 20 };

static const struct subcommand subcommands[] = {
    {"describe", "DATA", "what a CSV file holds against the schema, column by column; --out: as a page",
     .work = command_describe, .least = 1, .most = 1,
     .takes = "describe takes one CSV file: trainer describe DATA [--out report.html]"},
    {"train", "DATA", "fit a model to a labelled CSV file, log the run, register a version (or write --out)",
     .run = command_train, .least = 1, .most = 1,
     .takes = "train takes one labelled CSV file: trainer train DATA --model logistic-regression-l2"},
    {"evaluate", "MODEL DATA", "evaluate a model (FILE.onnx or models:/…) by a labelled CSV file",
     .work = command_evaluate, .least = 2, .most = 2,
     .takes = "evaluate takes a model and a labelled CSV file: trainer evaluate models:/NAME@ALIAS DATA"},
    {"table", "", "a labelled table out of the prediction log and the outcomes in PostgreSQL, as it was known at dates",
     .work = command_table,
     .takes = "table takes no arguments: trainer table --as-of 2026-01-01 --horizon 180d --out table.csv"},
    {"retrain", "", "table, train, evaluate beside the version in use on a later period, register as challenger",
     .run = command_retrain, .takes = "retrain takes no arguments: trainer retrain --model gradient-boosting"},
    {"compare", "", "an experiment's runs side by side, with differences to the best", .work = command_compare,
     .takes = "compare takes no arguments: trainer compare --experiment NAME --sort METRIC"},
    {0},
};

int main(int argc, char **argv)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES); /* large blocks go back to the system when they are freed, */
    (void)mallopt(M_MXFAST, 0);                    /* small ones once all above them are */
    return options_main(PROGRAM_TRAINER, subcommands, argc, argv);
}
