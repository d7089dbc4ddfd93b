/* Why PostgreSQL's certificate is not trusted: libpq says "certificate verify failed" and no more. */
#pragma once

/* Looks at the certificate of the server that this connection string names, over a connection of its own that ends
 * before anything is sent to it. At most 3 s. A text without end mark; says so where the certificate cannot be had. */
const char *sink_certificate_flaw(const char *conninfo);
