/* Who an employee is to the audit: a hash of the id or, beside a database, of what its receipts call the id
 * (attrition.receipt of sql/0017_erasure_and_holds.sql), since these name nobody. */
#pragma once

#include "base/sha256.h"

struct audit_receipts;

/* `secret` is the database's. */
struct audit_receipts *audit_receipts_new(struct span secret);
void audit_receipts_free(struct audit_receipts *receipts);

/* The receipt's name of the employee. */
void audit_receipt(struct audit_receipts *receipts, struct span employee, char out[SHA256_HEX_BYTES]);

/* Hash; 0: nobody (SPAN_NULL). `receipts` NULL: no database. */
uint64_t audit_employee(struct audit_receipts *receipts, struct span employee);
