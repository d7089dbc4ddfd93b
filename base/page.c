/* Pages: see page.h. Pure. */
#include "base/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char page_style[] =
    "html{color-scheme:light dark}*{box-sizing:border-box}body{margin:0 auto;padding:24px 16px "
    "64px;max-width:1120px;font:15px/1.5 "
    "system-ui,sans-serif;color:var(--ink);background:var(--paper)}h1{font-size:26px;margin:0 0 "
    "4px}h2{font-size:19px;margin:36px 0 8px}h3{font-size:15px;margin:0 0 2px;overflow-wrap:anywhere}p{margin:6px "
    "0;overflow-wrap:anywhere}.soft,td.soft{color:var(--soft)}.wide{overflow-x:auto}table{border-collapse:collapse;"
    "margin:8px 0;font-size:14px}th,td{padding:4px 12px 4px 0;border-bottom:1px solid "
    "var(--grid);text-align:right;vertical-align:top}th{color:var(--soft);font-weight:500}th:first-child,td:first-"
    "child,td.text,th.text{text-align:left}.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr)"
    ");gap:16px}.card{background:var(--panel);border:1px solid var(--grid);border-radius:8px;padding:12px 14px}.card "
    "p{font-size:13px;margin:2px "
    "0}.plots{margin-top:24px;display:flex;flex-wrap:wrap;gap:16px}svg{max-width:100%;height:auto}.alarm{color:var(--"
    "second)}.card .figure{font-size:24px;margin:0}.one-line{white-space:nowrap}code{overflow-wrap:anywhere}";

void page_begin(struct buffer *out, const char *title)
{
    buffer_add_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" "
                         "content=\"width=device-width, initial-scale=1\"/><title>");
    markup_text(out, title);
    buffer_printf(out, "</title><style>%s%s</style></head>\n<body><h1>", svg_style, page_style);
    markup_text(out, title);
    buffer_add_text(out, "</h1>\n");
}

void page_end(struct buffer *out)
{
    buffer_add_text(out, "</body></html>\n");
}

void page_element(struct buffer *out, const char *name, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    buffer_printf(out, "<%s>", name);
    markup_text(out, text);
    buffer_printf(out, "</%.*s>\n", (int)strcspn(name, " "), name);
    free(text);
}

void page_table_begin(struct buffer *out, const char *const *columns, size_t count, size_t texts)
{
    buffer_add_text(out, "<div class=\"wide\"><table><thead><tr>");
    for (size_t c = 0; c < count; c++)
        page_element(out, c + texts >= count ? "th scope=\"col\" class=\"text\"" : "th scope=\"col\"", "%s",
                     columns[c]);
    buffer_add_text(out, "</tr></thead><tbody>\n");
}

void page_table_end(struct buffer *out)
{
    buffer_add_text(out, "</tbody></table></div>\n");
}
