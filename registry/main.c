/* The registry tool: what is registered, and which version an alias points at. One thread; reads and writes only the
 * tracking store. What its subcommands do stands in commands.c, promote.c, sync.c,
 * import.c and verify.c. */
#include "base/options.h"
#include "registry/commands.h"

static const struct subcommand subcommands[] = {
    {"list", "", "registered models with their versions, aliases and runs", .run = command_list,
     .takes = "list takes no arguments"},
    {"show", "NAME [VERSION]", "one version as `key: value` lines: the given one, or that of --alias",
     .work = command_show, .invalid_is_usage = true, .least = 1, .most = 2,
     .takes = "show takes a model's name, and perhaps a version: registry show NAME [VERSION]"},
    {"promote", "NAME VERSION", "check a version and point --alias at it; a running scorer picks it up",
     .work = command_promote, .invalid_is_usage = true, .least = 2, .most = 2,
     .takes = "promote takes a model's name and a version: registry promote NAME VERSION --alias ALIAS"},
    {"rollback", "NAME", "point --alias back at the version before", .work = command_rollback, .invalid_is_usage = true,
     .least = 1, .most = 1, .takes = "rollback takes a model's name: registry rollback NAME --alias ALIAS"},
    {"sync", "[DIR]", "send runs that were kept in DIR (default: --keep-dir) while the MLflow server was unavailable",
     .work = command_sync, .most = 1, .takes = "sync takes at most one directory: registry sync [DIR]"},
    {"import", "FILE.onnx", "register a model trained elsewhere; prints its version", .run = command_import, .least = 1,
     .most = 1, .takes = "import takes one model file: registry import FILE.onnx --name NAME"},
    {"verify", "FILE.onnx|models:/…", "load a model as the scorer does and say what it is", .work = command_verify,
     .least = 1, .most = 1, .takes = "verify takes one model: registry verify FILE.onnx, or models:/NAME@ALIAS"},
    {0},
};

int main(int argc, char **argv)
{
    return options_main(PROGRAM_REGISTRY, subcommands, argc, argv);
}
