/* SPDX-License-Identifier: MIT */
/* The families' text, byte by byte: families.h declares its ends. */
    .section .rodata
    .globl mpl_families_begin
    .hidden mpl_families_begin
    .globl mpl_families_end
    .hidden mpl_families_end
mpl_families_begin:
    .incbin "families.txt"
mpl_families_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
