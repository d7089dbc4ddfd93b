/* A file of the tree compiled into the program as it is. */
#pragma once

/* NAME and NAME_end are the bounds of FILE, which the assembler reads from the project's root. */
#define EMBED(NAME, FILE) \
    __asm__(".pushsection .rodata\n" #NAME ": .incbin \"" FILE "\"\n" #NAME "_end: .byte 0\n.popsection"); \
    extern const char NAME[], NAME##_end[]
