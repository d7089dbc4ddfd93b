/* Names of receipts: see audit_receipts.h. Used by the audit's parts on the main thread. */
#include "scorer/audit/audit_receipts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "scorer/audit/audit_record.h"

struct audit_receipts {
    struct buffer text; /* the secret, then an id */
    size_t secret_bytes;
};

struct audit_receipts *audit_receipts_new(struct span secret)
{
    struct audit_receipts *receipts = mem_zeroed(1, sizeof *receipts);
    buffer_add(&receipts->text, secret.data, secret.bytes);
    receipts->secret_bytes = secret.bytes;
    return receipts;
}

void audit_receipts_free(struct audit_receipts *receipts)
{
    if (!receipts)
        return;
    buffer_free(&receipts->text);
    free(receipts);
}

void audit_receipt(struct audit_receipts *receipts, struct span employee, char out[SHA256_HEX_BYTES])
{
    receipts->text.bytes = receipts->secret_bytes;
    buffer_add(&receipts->text, employee.data, employee.bytes);
    sha256_hex(buffer_span(&receipts->text), out);
}

uint64_t audit_employee(struct audit_receipts *receipts, struct span employee)
{
    char name[SHA256_HEX_BYTES];
    if (!employee.data || !receipts)
        return employee.data ? audit_hash(0, employee) : 0;
    audit_receipt(receipts, employee, name);
    return audit_hash(0, span_of(name));
}
