/* Where the partitions of the input topic ended when the program started, for --exit-at-end. Zeroed: none. */
#pragma once

#include "scorer/stream/start_offsets.h"

struct input_ends {
    int64_t *offsets; /* owned; of each partition from 0 on */
    int32_t count;
};

/* Waits for a broker until *stop. */
MUST_USE enum status input_ends_look_up(struct input_ends *ends, const struct start_offsets *start, int32_t partitions,
                                        const _Atomic bool *stop, struct error *err);
/* Whether the group has committed all of it. No answer is false. */
bool input_ends_reached(const struct input_ends *ends, const struct start_offsets *start);
void input_ends_free(struct input_ends *ends);
