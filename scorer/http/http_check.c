/* What http_new would refuse, found out without serving anybody: see http.h. Called by `scorer check`, on the main
 * thread. It asks the same functions, so both refuse the same. */
#include <unistd.h>

#include "scorer/http/database.h"
#include "scorer/http/http.h"
#include "scorer/http/listen.h"
#include "scorer/http/stream_remote.h"
#include "scorer/http/tokens.h"

enum status http_check(const struct settings *settings, struct error *err)
{
    struct tokens *tokens = NULL;
    struct database *reads = NULL, *writes = NULL;
    int main = -1, probes = -1;
    enum status status = tokens_new(settings, &tokens, err);
    if (status == STATUS_OK)
        status = databases_new(settings, &reads, &writes, err);
    if (status == STATUS_OK)
        status = listen_open(settings, "http-listen", settings->http_listen, &main, err);
    if (status == STATUS_OK && settings->http_probes_listen)
        status = listen_open(settings, "http-probes-listen", settings->http_probes_listen, &probes, err);
    if (status == STATUS_OK)
        status = stream_remote_check(settings, err);
    if (main >= 0)
        close(main);
    if (probes >= 0)
        close(probes);
    database_free(reads);
    database_free(writes);
    tokens_free(tokens);
    return status;
}
