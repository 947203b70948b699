/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon.c - driver for the virtio memory balloon, in its legacy form
 *
 * The device has three queues. We put arrays of page numbers on the first to give pages away
 * (inflate) and on the second to have them back (deflate). On the third we leave one buffer with
 * statistics; the device keeps it until the host wants fresh ones, returns it, and we fill it
 * again. One buffer is in flight on a queue at a time, so descriptor 0 is all that is ever used.
 *
 * The balloon is a stack that grows from the end of the free pages towards their start. What is
 * in use is never given away, so a host that asks for too much sees a balloon that got stuck.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.1: 2.6 Split Virtqueues, 4.1.4.8 Legacy Interfaces,
 * 5.5 Traditional Memory Balloon Device
 */
#include "test/support/guest/balloon.h"

#include "test/support/guest/machine.h"

#include <stddef.h>

enum {
    VIRTIO_VENDOR = 0x1AF4,
    VIRTIO_BALLOON = 0x1002, /* transitional */

    PCI_COMMAND = 0x04,
    PCI_COMMAND_IO = 1,
    PCI_COMMAND_BUS_MASTER = 4,
    PCI_BAR0 = 0x10,
    PCI_INTERRUPT_LINE = 0x3C,

    /* offsets from BAR 0, without MSI-X */
    REG_HOST_FEATURES = 0,
    REG_GUEST_FEATURES = 4,
    REG_QUEUE_PFN = 8,
    REG_QUEUE_SIZE = 12,
    REG_QUEUE_SELECT = 14,
    REG_QUEUE_NOTIFY = 16,
    REG_STATUS = 18,
    REG_ISR = 19,
    REG_TARGET_PAGES = 20,
    REG_ACTUAL_PAGES = 24,

    FEATURE_STATISTICS = 1 << 1,

    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,

    QUEUE_SIZE_MAX = 256,
    QUEUE_BYTES_MAX = 3 * PAGE_BYTES, /* of 256 entries: 4096 + 518 bytes, rounded, then 2054 */
    DESCRIPTOR_BYTES = 16,
    AVAILABLE_NO_INTERRUPT = 1,

    PAGES_PER_REQUEST = 256,
};

enum Queue {
    QUEUE_INFLATE,
    QUEUE_DEFLATE,
    QUEUE_STATISTICS,
    QUEUE_COUNT,
};

/* Statistics tags; the device ignores none of these, and libvirt shows them all. */
enum {
    TAG_SWAP_IN,
    TAG_SWAP_OUT,
    TAG_MAJOR_FAULTS,
    TAG_MINOR_FAULTS,
    TAG_FREE,
    TAG_TOTAL,
    TAG_AVAILABLE,
    TAG_CACHES,
    TAG_COUNT,
};

struct Statistic {
    uint16_t tag;
    uint64_t value; /* bytes, or a count for the first four */
} __attribute__((packed));

struct Descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags;
    uint16_t next;
};

/* The rings of the specification, as far as one descriptor needs them. */
struct Ring {
    volatile uint16_t flags;
    volatile uint16_t index; /* counts requests, never reset */
    volatile uint16_t first[];
};

struct VirtQueue {
    uint16_t size;              /* entries, set by the device */
    struct Descriptor *request; /* descriptor 0 */
    struct Ring *available;     /* written by us */
    struct Ring *used;          /* written by the device */
};

static uint8_t queue_memory[QUEUE_COUNT][QUEUE_BYTES_MAX] __attribute__((aligned(PAGE_BYTES)));
static struct VirtQueue queues[QUEUE_COUNT];
static struct Statistic statistics[TAG_COUNT];
static uint32_t page_numbers[PAGES_PER_REQUEST];

static uint16_t io_base;
static struct Stock *stock;
static uint32_t memory_pages; /* of the whole guest */

static bool
init_queue(enum Queue number)
{
    struct VirtQueue *queue = &queues[number];
    uint8_t *memory = queue_memory[number];
    uint32_t ring_bytes;

    out16(io_base + REG_QUEUE_SELECT, (uint16_t)number);
    queue->size = in16(io_base + REG_QUEUE_SIZE);
    if (queue->size == 0 || queue->size > QUEUE_SIZE_MAX)
        return false;

    ring_bytes = queue->size * (DESCRIPTOR_BYTES + 2u) + 6;
    queue->request = (struct Descriptor *)memory;
    queue->available = (struct Ring *)(memory + queue->size * DESCRIPTOR_BYTES);
    queue->used = (struct Ring *)(memory + (ring_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    out32(io_base + REG_QUEUE_PFN, (uint32_t)memory / PAGE_BYTES);
    return true;
}

static void
submit(enum Queue number, const void *data, uint32_t bytes)
{
    struct VirtQueue *queue = &queues[number];

    queue->request->address = (uint32_t)data;
    queue->request->bytes = bytes;
    queue->available->first[queue->available->index % queue->size] = 0;
    __asm__ volatile("" : : : "memory");
    queue->available->index++;
    out16(io_base + REG_QUEUE_NOTIFY, (uint16_t)number);
}

static bool
is_returned(enum Queue number)
{
    return queues[number].used->index == queues[number].available->index;
}

static void
submit_statistics(void)
{
    uint64_t free_bytes = (uint64_t)stock->free * PAGE_BYTES;
    uint64_t total_bytes = (uint64_t)(memory_pages - stock->ballooned) * PAGE_BYTES;

    for (uint16_t tag = 0; tag < TAG_COUNT; tag++)
        statistics[tag] = (struct Statistic){ .tag = tag, .value = 0 };
    statistics[TAG_FREE].value = free_bytes;
    statistics[TAG_AVAILABLE].value = free_bytes;
    statistics[TAG_TOTAL].value = total_bytes;
    submit(QUEUE_STATISTICS, statistics, sizeof(statistics));
}

bool
balloon_init(struct Stock *pages, uint32_t total_pages)
{
    uint32_t address = pci_find(VIRTIO_VENDOR, VIRTIO_BALLOON);
    uint32_t features;

    if (address == 0)
        return false;

    stock = pages;
    memory_pages = total_pages;
    io_base = (uint16_t)(pci_read(address, PCI_BAR0) & 0xFFFC);
    pci_write(address, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_BUS_MASTER);
    out8(io_base + REG_STATUS, 0);
    out8(io_base + REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    features = in32(io_base + REG_HOST_FEATURES) & FEATURE_STATISTICS;
    out32(io_base + REG_GUEST_FEATURES, features);
    if (!init_queue(QUEUE_INFLATE) || !init_queue(QUEUE_DEFLATE) || !init_queue(QUEUE_STATISTICS))
        return false;

    queues[QUEUE_INFLATE].available->flags = AVAILABLE_NO_INTERRUPT;
    queues[QUEUE_DEFLATE].available->flags = AVAILABLE_NO_INTERRUPT;
    machine_listen((uint8_t)pci_read(address, PCI_INTERRUPT_LINE), io_base + REG_ISR);
    out8(io_base + REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
    submit_statistics();
    return true;
}

/* Hands over @pages pages from slot @first on and waits, which takes the device no time. */
static void
move_pages(enum Queue number, uint32_t first, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        page_numbers[i] = stock_page(stock, first + i);
    submit(number, page_numbers, pages * sizeof(page_numbers[0]));
    while (!is_returned(number))
        __asm__ volatile("pause");
}

static uint32_t
step_towards(uint32_t missing_pages)
{
    return missing_pages < PAGES_PER_REQUEST ? missing_pages : PAGES_PER_REQUEST;
}

static void
follow_target(uint32_t target_pages)
{
    while (stock->ballooned < target_pages && stock->free > 0) {
        uint32_t pages = step_towards(target_pages - stock->ballooned);

        if (pages > stock->free)
            pages = stock->free;
        stock->free -= pages;
        stock->ballooned += pages;
        move_pages(QUEUE_INFLATE, stock->free, pages);
        out32(io_base + REG_ACTUAL_PAGES, stock->ballooned);
    }
    while (stock->ballooned > target_pages) {
        uint32_t pages = step_towards(stock->ballooned - target_pages);

        move_pages(QUEUE_DEFLATE, stock->free, pages);
        stock->free += pages;
        stock->ballooned -= pages;
        out32(io_base + REG_ACTUAL_PAGES, stock->ballooned);
    }
}

void
balloon_serve(void)
{
    follow_target(in32(io_base + REG_TARGET_PAGES));
    if (is_returned(QUEUE_STATISTICS))
        submit_statistics();
}
