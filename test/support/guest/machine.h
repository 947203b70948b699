/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.h - the parts of a PC that the guest uses: ports, console, timer, interrupts, PCI
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    PAGE_BYTES = 4096,
    PAGES_PER_MIB = 256,
    /* The slowest that the timer can be: its input of 1193182 Hz divided by 65536. */
    TICKS_PER_10_SECONDS = 182,
};

/**
 * out8() - write one byte to an I/O port
 * @port:  its number
 * @value: what to write
 */
static inline void
out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/**
 * out16() - write two bytes to an I/O port
 * @port:  its number
 * @value: what to write
 */
static inline void
out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/**
 * out32() - write four bytes to an I/O port
 * @port:  its number
 * @value: what to write
 */
static inline void
out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/**
 * in8() - read one byte from an I/O port
 * @port: its number
 *
 * Return: what was read.
 */
static inline uint8_t
in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/**
 * in16() - read two bytes from an I/O port
 * @port: its number
 *
 * Return: what was read.
 */
static inline uint16_t
in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/**
 * in32() - read four bytes from an I/O port
 * @port: its number
 *
 * Return: what was read.
 */
static inline uint32_t
in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/** machine_cycles() - the processor's time stamp; emulated, it is the host's */
static inline uint64_t
machine_cycles(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/**
 * console_print() - write to the first serial port
 * @text: ASCII; a newline is sent as it is
 */
void console_print(const char *text);

/**
 * console_print_number() - write a decimal number to the first serial port
 * @number: any
 */
void console_print_number(uint32_t number);

/**
 * pci_find() - look for a device on bus 0
 * @vendor: PCI vendor number
 * @device: PCI device number
 *
 * Return: its configuration address for pci_read() and pci_write(), or 0.
 */
uint32_t pci_find(uint16_t vendor, uint16_t device);

/**
 * pci_read() - read four bytes of configuration space
 * @address: from pci_find()
 * @offset:  multiple of 4
 *
 * Return: the four bytes.
 */
uint32_t pci_read(uint32_t address, uint8_t offset);

/**
 * pci_write() - write four bytes of configuration space
 * @address: from pci_find()
 * @offset:  multiple of 4
 * @value:   what to write
 */
void pci_write(uint32_t address, uint8_t offset, uint32_t value);

/**
 * machine_init() - take over the interrupt controllers, everything masked
 */
void machine_init(void);

/**
 * machine_listen() - let a device interrupt machine_wait()
 * @irq:         its interrupt line, 0 to 15
 * @status_port: virtio ISR register: reading it withdraws the interrupt
 *
 * There can be one such device.
 */
void machine_listen(uint8_t irq, uint16_t status_port);

/**
 * machine_run_timer() - tick, or be quiet
 * @on: whether time is needed; a guest without the timer costs its host no CPU time
 *
 * Saying again what is so already changes nothing.
 */
void machine_run_timer(bool on);

/**
 * machine_ticks() - how often has the timer ticked?
 *
 * Return: ticks since the start, only counted while the timer runs.
 */
uint32_t machine_ticks(void);

/**
 * machine_wait() - sleep until the timer ticks or the device has something to say
 *
 * Return: status bits of the device since the last call, 0 if it was only the timer.
 */
uint8_t machine_wait(void);
