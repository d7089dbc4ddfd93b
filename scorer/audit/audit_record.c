/* See audit_record.h. Pure; any thread. */
#include "scorer/audit/audit_record.h"

uint64_t audit_hash(uint64_t seed, struct span bytes)
{
    uint64_t value = seed ? seed : UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.bytes; i++)
        value = (value ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    value ^= value >> 29;
    return value ? value : 1;
}

uint64_t audit_said(double probability, double margin, double threshold, struct span model_version)
{
    const double numbers[] = {probability, margin, threshold};
    return audit_hash(audit_hash(0, (struct span){(const char *)numbers, sizeof numbers}), model_version);
}
