/* The trainer: a labelled table in, a registered model (or a model file) out. Fits run on several threads; what it
 * reads is the table and the schema, what it writes is the tracking store or one file. */
#include "base/options.h"
#include "trainer/commands.h"

static const struct subcommand subcommands[] = {
    {"describe", "DATA", "what a CSV file holds against the schema, column by column; --out: as a page",
     command_describe},
    {"train", "DATA", "fit a model to a labelled CSV file, log the run, register a version (or write --out)",
     command_train},
    {"evaluate", "MODEL DATA", "evaluate a model (FILE.onnx or models:/…) by a labelled CSV file", command_evaluate},
    {"compare", "", "an experiment's runs side by side, with differences to the best", command_compare},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_TRAINER, subcommands, argc, argv);
}
