/* The scorer program: its subcommands. Everything else is the subcommand's own file. */
#include "scorer/commands.h"

static const struct subcommand subcommands[] = {
    {"run", "", "score events, write them to PostgreSQL, answer over HTTP: by --roles", .run = cmd_run},
    {"check", "", "look at configuration, model, schemas, topics and servers; say what is wrong and how to fix it",
     .run = cmd_check},
    {"audit", "", "prove that every event has one end, in order, and every output record its row; status 1: not so",
     .run = cmd_audit},
    {"explain", "",
     "make past decisions again, each with the model version that made it, and say what differs; status 1: something "
     "does",
     .run = cmd_explain},
    {"report", "", "write one month as an HTML page, from PostgreSQL: volume, quality, drift, performance, fairness",
     .run = cmd_report, .takes = "report takes no arguments"},
    {"notices", "",
     "write a notice for each time that somebody became flagged: the decision, its main reasons in words, the review",
     .run = cmd_notices, .takes = "notices takes no arguments"},
    {"state", "seed|repartition", "fill the state topic from PostgreSQL; move records after the input has grown",
     .run = cmd_state},
    {"score", "[FILE]", "score JSON Lines from FILE or standard input; no server needed", .run = cmd_score},
    {"decode", "[FILE]", "show Avro from FILE or standard input as JSON: hexadecimal, or values as they lie in a topic",
     .run = cmd_decode},
    {"views", "", "print the SQL that gives a database the schemas' columns and views; sql/migrate runs it",
     .work = command_views, .takes = "views takes no arguments"},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_SCORER, subcommands, argc, argv);
}
