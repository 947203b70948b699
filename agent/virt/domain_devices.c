/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_devices.c - elements of a definition: devices that matter for memory
 *
 * Devices and pinning. Page merging gives up on a page with references beyond its mappings, and
 * that is what a pin is. VFIO maps all guest RAM for the device and pins it: PCI passthrough,
 * interfaces of type hostdev, and QEMU's NVMe driver in user space (disk type nvme). vhost-vdpa
 * does the same for interfaces and disks. A mediated device pins only what its driver asks for:
 * vGPU drivers much, channel I/O and crypto (vfio-ccw, vfio-ap) only while a request is under
 * way; so they are counted apart. USB and SCSI passthrough, vhost-scsi included, copy, or hold
 * pages for one request only: they do not count. With an emulated IOMMU less may be pinned; the
 * definition cannot tell.
 *
 * Source: libvirt formatdomain, "Devices"; Documentation/driver-api/vfio.rst and
 * vfio-mediated-device.rst; QEMU hw/vfio and util/vfio-helpers.c; drivers/vhost/vdpa.c.
 */
#include "agent/virt/domain_element.h"

#include <assert.h>
#include <string.h>

static const char *const balloon_names[] = {
    [DOMAIN_BALLOON_ABSENT] = NULL,
    [DOMAIN_BALLOON_NONE] = "none",
    [DOMAIN_BALLOON_VIRTIO] = "virtio",
    [DOMAIN_BALLOON_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [DOMAIN_BALLOON_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
    [DOMAIN_BALLOON_XEN] = "xen",
};
static_assert(G_N_ELEMENTS(balloon_names) == DOMAIN_BALLOON_OTHER, "balloon_names[] has gaps");

static const char *const off_on[] = { "off", "on" };

#define DEVICES "domain/devices/"

static const struct {
    const char *path;      /* of the element */
    const char *attribute; /* that tells the kind of device */
    const char *value;     /* what it must be */
    size_t counter;        /* in DomainXml */
} device_kinds[] = {
    { DEVICES "disk", "type", "nvme", offsetof(DomainXml, pinning_devices) },
    { DEVICES "disk", "type", "vhostvdpa", offsetof(DomainXml, pinning_devices) },
    { DEVICES "disk", "type", "vhostuser", offsetof(DomainXml, vhost_user_devices) },
    { DEVICES "filesystem/driver", "type", "virtiofs", offsetof(DomainXml, vhost_user_devices) },
    { DEVICES "interface", "type", "hostdev", offsetof(DomainXml, pinning_devices) },
    { DEVICES "interface", "type", "vdpa", offsetof(DomainXml, pinning_devices) },
    { DEVICES "interface", "type", "vhostuser", offsetof(DomainXml, vhost_user_devices) },
    { DEVICES "video/driver", "name", "vhostuser", offsetof(DomainXml, vhost_user_devices) },
    { DEVICES "hostdev", "type", "pci", offsetof(DomainXml, pinning_devices) },
    { DEVICES "hostdev", "type", "mdev", offsetof(DomainXml, mediated_devices) },
};

static void
open_device(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(device_kinds); i++) {
        uint32_t *counter = domain_element_field(reading, device_kinds[i].counter);

        if (strcmp(device_kinds[i].path, element->path) == 0 &&
            g_strcmp0(domain_element_attribute(attributes, device_kinds[i].attribute),
                      device_kinds[i].value) == 0)
            ++*counter;
    }
}

static void
open_memory_device(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *model = domain_element_attribute(attributes, "model");
    bool is_virtio_mem = g_strcmp0(model, "virtio-mem") == 0;
    bool is_ram = is_virtio_mem || g_strcmp0(model, "dimm") == 0;
    MemoryBlock device = { .kind = is_ram ? BLOCK_DEVICE_RAM : BLOCK_DEVICE };

    device.access =
        domain_element_access(reading, element, domain_element_attribute(attributes, "access"));
    g_array_append_val(reading->memory.blocks, device);
    if (is_virtio_mem)
        reading->xml.virtio_mem_devices++;
}

static void
keep_device_size(DomainReading *reading, const DomainElement *element, char *text)
{
    domain_memory_last(&reading->memory)->bytes =
        domain_element_size(reading, element, g_strstrip(text), reading->unit);
}

static void
keep_device_page(DomainReading *reading, const DomainElement *element, char *text)
{
    domain_memory_last(&reading->memory)->page_bytes =
        domain_element_size(reading, element, g_strstrip(text), reading->unit);
}

static void
keep_device_node(DomainReading *reading, const DomainElement *element, char *text)
{
    domain_memory_last(&reading->memory)->node =
        domain_element_number(reading, element, g_strstrip(text), DOMAIN_XML_MAX_NODES - 1);
}

static void
open_balloon(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    const char *model = domain_element_attribute(attributes, "model");
    DomainXml *xml = &reading->xml;

    /* A model that is not in the table is the one after the last. */
    xml->balloon =
        model ? (DomainBalloon)domain_element_choice(model, balloon_names, DOMAIN_BALLOON_OTHER)
              : DOMAIN_BALLOON_OTHER;
    xml->balloon_autodeflate = domain_element_second(
        reading, element, domain_element_attribute(attributes, "autodeflate"), off_on);
    xml->balloon_reports_free = domain_element_second(
        reading, element, domain_element_attribute(attributes, "freePageReporting"), off_on);
}

static void
open_stats(DomainReading *reading, const DomainElement *element, const GArray *attributes)
{
    reading->xml.stats_period_s = (uint32_t)domain_element_number(
        reading, element, domain_element_attribute(attributes, "period"), UINT32_MAX);
}

static const DomainElement rows[] = {
    { "domain/devices", NULL, NULL, 0, false },
    { DEVICES "disk", open_device, NULL, 0, true },
    { DEVICES "filesystem", NULL, NULL, 0, true },
    { DEVICES "filesystem/driver", open_device, NULL, 0, false },
    { DEVICES "interface", open_device, NULL, 0, true },
    { DEVICES "video", NULL, NULL, 0, true },
    { DEVICES "video/driver", open_device, NULL, 0, false },
    { DEVICES "hostdev", open_device, NULL, 0, true },
    { DEVICES "memballoon", open_balloon, NULL, 0, false },
    { DEVICES "memballoon/stats", open_stats, NULL, 0, false },
    { DEVICES "memory", open_memory_device, NULL, 0, true },
    { DEVICES "memory/source", NULL, NULL, 0, false },
    { DEVICES "memory/source/pagesize", NULL, keep_device_page, 0, false },
    { DEVICES "memory/target", NULL, NULL, 0, false },
    { DEVICES "memory/target/size", NULL, keep_device_size, 0, false },
    { DEVICES "memory/target/node", NULL, keep_device_node, 0, false },
};

const DomainElementTable domain_devices = { rows, G_N_ELEMENTS(rows) };
