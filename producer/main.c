/* The producer program: its subcommands. Everything else is the subcommand's own file. */
#include "producer/commands.h"

static const struct subcommand subcommands[] = {
    {"backfill", "FILE…", "send the rows of CSV, JSON or Avro files (- is standard input), or of a query, as events",
     .run = cmd_backfill},
    {"generate", "", "make synthetic employees: send them, or write a labelled CSV (--out)", .run = cmd_generate},
    {"rescore", "", "have everyone with a current record scored again, by the model in use", .run = cmd_rescore,
     .most = 0, .takes = "rescore takes no arguments: --where and --scored-before choose whom"},
    {"dlq", "list|show PLACE…|replay", "dead letters: by code and field; one in full; sent to the input topic again",
     .run = cmd_dlq},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_PRODUCER, subcommands, argc, argv);
}
