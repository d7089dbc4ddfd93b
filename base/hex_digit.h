/* Reading hexadecimal. */
#pragma once

/* What the digit stands for, in either case; -1: it is none. */
static inline int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}
