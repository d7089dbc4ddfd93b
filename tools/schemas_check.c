/* schemas-check READER WRITER…: whether the schema in READER reads all that was written with each WRITER, by the
 * scorer's own resolution. `make schemas-check` runs it on the shipped schemas and all their earlier versions. One line
 * a fault; exit status 1 if there is one. */
#include <stdio.h>

#include "avro/type.h"
#include "avro/compatible.h"

static int check(const struct avro_schema *reader, const char *name, const char *path)
{
    struct avro_schema *writer = NULL;
    struct error err;
    enum status status = avro_schema_read(path, &writer, &err);
    if (status == STATUS_OK)
        status = schema_reads(avro_schema_type(reader), avro_schema_type(writer), &err);
    if (status != STATUS_OK)
        fprintf(stderr, "schemas-check: %s cannot read all of %s: %s\n", name, path, err.text);
    avro_schema_free(writer);
    return status != STATUS_OK;
}

int main(int argc, char **argv)
{
    struct avro_schema *reader;
    struct error err;
    int faults = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: schemas-check READER WRITER...\n");
        return 2;
    }
    if (avro_schema_read(argv[1], &reader, &err) != STATUS_OK) {
        fprintf(stderr, "schemas-check: %s\n", err.text);
        return 1;
    }
    for (int w = 2; w < argc; w++)
        faults += check(reader, argv[1], argv[w]);
    avro_schema_free(reader);
    return faults != 0;
}
