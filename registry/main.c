/* The registry tool: what is registered, and which version an alias points at. One thread; reads and writes only the
 * tracking store. What its subcommands do stands in commands.c, promote.c, sync.c,
 * import.c and verify.c. */
#include "base/options.h"
#include "registry/commands.h"

static const struct subcommand subcommands[] = {
    {"list", "", "registered models with their versions, aliases and runs", command_list},
    {"show", "NAME [VERSION]", "one version as `key: value` lines: the given one, or that of --alias", command_show},
    {"promote", "NAME VERSION", "check a version and point --alias at it; a running scorer picks it up",
     command_promote},
    {"rollback", "NAME", "point --alias back at the version before", command_rollback},
    {"sync", "[DIR]", "send runs that were kept in DIR (default: --keep-dir) while the MLflow server was unavailable",
     command_sync},
    {"import", "FILE.onnx", "register a model trained elsewhere; prints its version", command_import},
    {"verify", "FILE.onnx|models:/…", "load a model as the scorer does and say what it is", command_verify},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_REGISTRY, subcommands, argc, argv);
}
