/* The page for people: the files of scorer/web, held in the program as they are, so that it needs no directory and no
 * other server. They are found by path alone; what the page shows it asks of the other routes. Called by the HTTP
 * library's threads; reads constants only. */
#include <string.h>

#include "scorer/http/embed.h"
#include "scorer/http/service.h"

EMBED(page_index, "scorer/web/index.html");
EMBED(page_style, "scorer/web/page.css");
EMBED(page_icon, "scorer/web/icon.svg");
EMBED(page_start, "scorer/web/page.js");
EMBED(page_api, "scorer/web/api.js");
EMBED(page_dom, "scorer/web/dom.js");
EMBED(page_form, "scorer/web/form.js");
EMBED(page_result, "scorer/web/result.js");
EMBED(page_stream, "scorer/web/stream.js");

static const char script_type[] = "text/javascript; charset=utf-8";

static const struct static_file {
    const char *path, *type, *begin, *end;
} static_files[] = {
    {"/", "text/html; charset=utf-8", page_index, page_index_end},
    {"/page.css", "text/css; charset=utf-8", page_style, page_style_end},
    {"/icon.svg", "image/svg+xml", page_icon, page_icon_end},
    {"/page.js", script_type, page_start, page_start_end},
    {"/api.js", script_type, page_api, page_api_end},
    {"/dom.js", script_type, page_dom, page_dom_end},
    {"/form.js", script_type, page_form, page_form_end},
    {"/result.js", script_type, page_result, page_result_end},
    {"/stream.js", script_type, page_stream, page_stream_end},
};

void static_files_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service;
    for (size_t f = 0; f < sizeof static_files / sizeof *static_files; f++) {
        const struct static_file *file = &static_files[f];
        if (!strcmp(file->path, request->path)) {
            answer->status = 200;
            answer->type = file->type;
            answer->fixed = (struct span){file->begin, (size_t)(file->end - file->begin)};
            return;
        }
    }
    answer_detail(answer, 404, "no such file");
}
