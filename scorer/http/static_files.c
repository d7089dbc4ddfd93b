/* The page for people: the files of scorer/web, compiled into the program as they are, so that it needs no directory
 * and no other server. They are found by path alone; what the page shows it asks of the other routes. Called by the
 * HTTP library's threads; reads constants only. */
#include <string.h>

#include "scorer/http/embed.h"
#include "scorer/http/service.h"

EMBED(page_index, "scorer/web/index.html");
EMBED(page_style, "scorer/web/page.css");
EMBED(page_icon, "scorer/web/icon.svg");
EMBED(page_api, "scorer/web/api.js");
EMBED(page_charts, "scorer/web/charts.js");
EMBED(page_deadletters, "scorer/web/deadletters.js");
EMBED(page_dom, "scorer/web/dom.js");
EMBED(page_form, "scorer/web/form.js");
EMBED(page_model, "scorer/web/model.js");
EMBED(page_overview, "scorer/web/overview.js");
EMBED(page_page, "scorer/web/page.js");
EMBED(page_people, "scorer/web/people.js");
EMBED(page_person, "scorer/web/person.js");
EMBED(page_quality, "scorer/web/quality.js");
EMBED(page_result, "scorer/web/result.js");
EMBED(page_stream, "scorer/web/stream.js");
EMBED(page_teams, "scorer/web/teams.js");
EMBED(page_whatif, "scorer/web/whatif.js");
EMBED(page_widgets, "scorer/web/widgets.js");
EMBED(page_words, "scorer/web/words.js");

static const char script_type[] = "text/javascript; charset=utf-8";

#define SCRIPT(name) \
    { \
        "/page/" #name ".js", script_type, page_##name, page_##name##_end \
    }

static const struct static_file {
    const char *path, *type, *begin, *end;
} static_files[] = {
    {"/", "text/html; charset=utf-8", page_index, page_index_end},
    {"/page/page.css", "text/css; charset=utf-8", page_style, page_style_end},
    {"/page/icon.svg", "image/svg+xml", page_icon, page_icon_end},
    SCRIPT(api),
    SCRIPT(charts),
    SCRIPT(deadletters),
    SCRIPT(dom),
    SCRIPT(form),
    SCRIPT(model),
    SCRIPT(overview),
    SCRIPT(page),
    SCRIPT(people),
    SCRIPT(person),
    SCRIPT(quality),
    SCRIPT(result),
    SCRIPT(stream),
    SCRIPT(teams),
    SCRIPT(whatif),
    SCRIPT(widgets),
    SCRIPT(words),
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
