/* Ids as files have them: what spreadsheets, joined files and programs make of them, besides what no id may be
 * (events/identity.h). Pure. */
#pragma once

#include "base/bytes.h"

/* Why it must not be sent, as "the id …"; NULL: it may. */
const char *file_id_flaw(struct span id);

/* Ids that may be right and most often are not. */
enum file_id_doubt {
    FILE_ID_FRACTION, /* 123.0 */
    FILE_ID_MISSING,  /* NULL */
    FILE_ID_DATE,     /* 5-Mar */
    FILE_ID_PADDED,   /* "E1 " */
    FILE_ID_DOUBT_COUNT,
    FILE_ID_NO_DOUBT = FILE_ID_DOUBT_COUNT
};
enum file_id_doubt file_id_doubt(struct span id);
/* "the id …" */
const char *file_id_doubt_text(enum file_id_doubt doubt);
