/* The trainer: a labelled table in, a registered model (or a model file) out. One thread, no server; what it reads is
 * the table and the schema, what it writes is the tracking store or one file. */
#include "base/options.h"
#include "trainer/commands.h"

static const struct subcommand subcommands[] = {
    {"train", "DATA", "fit a model to a labelled CSV file, log the run, register a version (or write --out)",
     command_train},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_TRAINER, subcommands, argc, argv);
}
