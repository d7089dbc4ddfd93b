/* The page for people: the files of scorer/web, held in the program as they are, so that it needs no directory and no
 * other server. They are found by path alone; what the page shows it asks of the other routes. Called by the HTTP
 * library's threads; reads constants only. */
#include <string.h>

#include "scorer/http/service.h"

/* NAME and NAME_end are the bounds of scorer/web/FILE, which the assembler reads from the project's root. */
#define EMBED(NAME, FILE) \
    __asm__(".pushsection .rodata\n" #NAME ": .incbin \"scorer/web/" FILE "\"\n" #NAME "_end: .byte 0\n.popsection"); \
    extern const char NAME[], NAME##_end[]

EMBED(page_index, "index.html");
EMBED(page_style, "page.css");
EMBED(page_icon, "icon.svg");
EMBED(page_start, "page.js");
EMBED(page_api, "api.js");
EMBED(page_dom, "dom.js");
EMBED(page_form, "form.js");
EMBED(page_result, "result.js");
EMBED(page_stream, "stream.js");

static const char script_type[] = "text/javascript; charset=utf-8";

static const struct page_file {
    const char *path, *type, *begin, *end;
} page_files[] = {
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

void page_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service;
    for (size_t f = 0; f < sizeof page_files / sizeof *page_files; f++) {
        const struct page_file *file = &page_files[f];
        if (!strcmp(file->path, request->path)) {
            answer->status = 200;
            answer->type = file->type;
            answer->fixed = (struct span){file->begin, (size_t)(file->end - file->begin)};
            return;
        }
    }
    answer_detail(answer, 404, "no such file");
}
