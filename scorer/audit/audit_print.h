/* The audit's answer on standard output: tables for people, or one JSON object. `state`
 * NULL: no current records are kept. */
#pragma once

#include "scorer/audit/audit_hash_chain.h"
#include "scorer/audit/audit_state.h"

void audit_print_table(const struct audit_ledger *ledger, const struct audit_state *state,
                       const struct audit_names *names, const struct audit_rules *rules,
                       const struct audit_hash_chain_report *proof);
void audit_print_json(const struct audit_ledger *ledger, const struct audit_state *state,
                      const struct audit_names *names, const struct audit_rules *rules,
                      const struct audit_hash_chain_report *proof);
