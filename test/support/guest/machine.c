/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.c - serial console, PCI configuration, interrupts and the timer of a PC
 *
 * Everything is done so that an idle guest stays in HLT: a device interrupts only when it has
 * something to say, and the timer runs only while somebody needs time. The handlers do no more
 * than note what happened; machine_wait() hands it to the main loop.
 */
#include "test/support/guest/machine.h"

enum {
    COM1 = 0x3F8,
    COM1_LINE_STATUS = COM1 + 5,
    COM1_CAN_SEND = 0x20,

    PCI_ADDRESS = 0xCF8,
    PCI_DATA = 0xCFC,
    PCI_ENABLE = (int)0x80000000,

    PIC1 = 0x20,
    PIC2 = 0xA0,
    PIC_END_OF_INTERRUPT = 0x20,
    PIC_CASCADE_IRQ = 2,

    PIT_CHANNEL_0 = 0x40,
    PIT_MODE = 0x43,

    FIRST_VECTOR = 32, /* below are the processor's own exceptions */
    VECTORS = 48,
    CODE_SEGMENT = 0x08,
    INTERRUPT_GATE = 0x8E00,
};

/* In start.S: each saves the registers and calls the handler of that name, below. */
void enter_timer(void);
void enter_device(void);
void handle_timer(void);
void handle_device(void);

struct Gate {
    uint16_t offset_low;  /* of the handler */
    uint16_t segment;     /* code segment of the handler */
    uint16_t flags;       /* present, type */
    uint16_t offset_high; /* of the handler */
};

struct TablePointer {
    uint16_t limit; /* size of the table in bytes, less one */
    uint32_t base;  /* its address */
} __attribute__((packed));

static struct Gate gates[VECTORS];
static volatile uint32_t ticks;
static uint32_t ticks_seen; /* value of @ticks at the end of the last machine_wait() */
static volatile uint8_t device_status;
static uint16_t device_status_port;
static bool timer_runs;

void
console_print(const char *text)
{
    for (; *text; text++) {
        while (!(in8(COM1_LINE_STATUS) & COM1_CAN_SEND))
            ;
        out8(COM1, (uint8_t)*text);
    }
}

void
console_print_number(uint32_t number)
{
    char digits[11];
    char *next = digits + sizeof(digits) - 1;

    *next = '\0';
    do {
        *--next = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    console_print(next);
}

uint32_t
pci_read(uint32_t address, uint8_t offset)
{
    out32(PCI_ADDRESS, address | offset);
    return in32(PCI_DATA);
}

void
pci_write(uint32_t address, uint8_t offset, uint32_t value)
{
    out32(PCI_ADDRESS, address | offset);
    out32(PCI_DATA, value);
}

uint32_t
pci_find(uint16_t vendor, uint16_t device)
{
    for (uint32_t slot = 0; slot < 32; slot++) {
        uint32_t address = (uint32_t)PCI_ENABLE | slot << 11;

        if (pci_read(address, 0) == ((uint32_t)device << 16 | vendor))
            return address;
    }
    return 0;
}

void
handle_timer(void)
{
    ticks++;
    out8(PIC1, PIC_END_OF_INTERRUPT);
}

void
handle_device(void)
{
    device_status |= in8(device_status_port);
    out8(PIC2, PIC_END_OF_INTERRUPT);
    out8(PIC1, PIC_END_OF_INTERRUPT);
}

static void
set_gate(uint8_t irq, void (*entry)(void))
{
    uint32_t offset = (uint32_t)entry;

    gates[FIRST_VECTOR + irq] = (struct Gate){
        .offset_low = (uint16_t)offset,
        .segment = CODE_SEGMENT,
        .flags = INTERRUPT_GATE,
        .offset_high = (uint16_t)(offset >> 16),
    };
}

static void
set_masked(uint8_t irq, bool masked)
{
    uint16_t port = irq < 8 ? PIC1 + 1 : PIC2 + 1;
    uint8_t bit = (uint8_t)(1 << irq % 8);
    uint8_t mask = in8(port);

    out8(port, masked ? mask | bit : mask & (uint8_t)~bit);
}

/* Initialisation words 1 to 4: start, first vector, how the two are wired, 8086 mode. */
static void
init_controller(uint16_t port, uint8_t first_vector, uint8_t wiring)
{
    out8(port, 0x11);
    out8(port + 1, first_vector);
    out8(port + 1, wiring);
    out8(port + 1, 1);
    out8(port + 1, 0xFF);
}

void
machine_init(void)
{
    struct TablePointer pointer = { sizeof(gates) - 1, (uint32_t)gates };

    init_controller(PIC1, FIRST_VECTOR, 1 << PIC_CASCADE_IRQ);
    init_controller(PIC2, FIRST_VECTOR + 8, PIC_CASCADE_IRQ);
    set_gate(0, enter_timer);
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void
machine_listen(uint8_t irq, uint16_t status_port)
{
    device_status_port = status_port;
    set_gate(irq, enter_device);
    set_masked(PIC_CASCADE_IRQ, false);
    set_masked(irq, false);
}

void
machine_run_timer(bool on)
{
    if (on == timer_runs)
        return;
    timer_runs = on;
    if (on) {
        out8(PIT_MODE, 0x34); /* channel 0, low byte then high byte, rate generator */
        out8(PIT_CHANNEL_0, 0);
        out8(PIT_CHANNEL_0, 0);
    }
    set_masked(0, !on);
}

uint32_t
machine_ticks(void)
{
    return ticks;
}

uint8_t
machine_wait(void)
{
    uint8_t status;

    /* STI takes effect after the next instruction: nothing can slip in before the HLT. */
    __asm__ volatile("cli" : : : "memory");
    while (ticks == ticks_seen && device_status == 0)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    status = device_status;
    device_status = 0;
    ticks_seen = ticks;
    __asm__ volatile("sti" : : : "memory");
    return status;
}
