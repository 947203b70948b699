/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.S - from the multiboot loader to C
 *
 * The loader leaves a flat 32-bit machine without paging, interrupts off, a magic number in eax
 * and the address of its information in ebx. Its segment registers are good but its descriptor
 * table need not be there any more, and returning from an interrupt reads it, so we load our own.
 *
 * Source: Multiboot Specification 0.6.96, 3.1 and 3.2
 */
    .section .multiboot, "a"
    .align 4
    .long 0x1BADB002             /* magic */
    .long 3                      /* align modules, tell about memory */
    .long -(0x1BADB002 + 3)      /* checksum */

    .text
    .globl _start
_start:
    mov $stack_end, %esp
    push %ebx
    push %eax
    lgdt gdt_pointer
    ljmp $0x08, $1f
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    call guest_main
2:  hlt
    jmp 2b

/* Interrupts come here: C code expects the direction flag clear and may use the registers. */
    .macro ENTER name
    .globl enter_\name
enter_\name:
    pusha
    cld
    call handle_\name
    popa
    iret
    .endm

    ENTER timer
    ENTER device

    .data
    .align 8
gdt:
    .quad 0
    .quad 0x00CF9A000000FFFF     /* 0x08: code, 0 to 4 GiB */
    .quad 0x00CF92000000FFFF     /* 0x10: data, 0 to 4 GiB */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .align 16
    .skip 16384
stack_end:
