/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakehost.c - fabricated kernel files of a host with KSM */
#include "test/support/fakehost.h"

#include <string.h>

#define KSM       "sys/kernel/mm/ksm/"
#define PROC_QEMU "proc/" G_STRINGIFY(FAKEHOST_QEMU_PID) "/"

/* Linux 5.10 and 6.1. */
static const FakeFile old_kernel[] = {
    { "proc/meminfo", "MemTotal:       24684084 kB\n"
                      "MemFree:        24472432 kB\n"
                      "MemAvailable:   24402780 kB\n"
                      "AnonPages:         25124 kB\n"
                      "HugePages_Total:       0\n" },
    { "proc/1/stat", "1 (init) S 0 1 1 0 -1 4194560 3 3 0 2 31 54 6 6 10 -10 13 0 25 4 3\n" },
    { "proc/37/stat", "37 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
    { "proc/37/schedstat", "113498000 3112032 21\n" },
    { "proc/pressure/cpu", "some avg10=5.65 avg60=6.68 avg300=5.71 total=2145663694\n"
                           "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" },
    { "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234567\n"
                              "full avg10=0.00 avg60=0.00 avg300=0.00 total=765432\n" },
    { "proc/stat", "cpu  444802 84403 310574 2632935 12005 0 5116 744 0 0\n"
                   "cpu0 214734 42603 140349 1343085 2883 0 555 385 0 0\n"
                   "cpu1 230067 41800 170225 1289850 9121 0 4560 358 0 0\n"
                   "intr 15810944 0 0 0\n" },
    { "sys/devices/system/cpu/online", "0-5,8\n" },
    { KSM "run", "1\n" },
    { KSM "pages_to_scan", "1001\n" },
    { KSM "sleep_millisecs", "21\n" },
    { KSM "full_scans", "101\n" },
    { KSM "pages_shared", "102\n" },
    { KSM "pages_sharing", "103\n" },
    { KSM "pages_unshared", "104\n" },
    { KSM "pages_volatile", "105\n" },
    { KSM "max_page_sharing", "256\n" },
    { KSM "use_zero_pages", "1\n" },
    { KSM "merge_across_nodes", "0\n" },
};

/* What Linux 6.18 has beyond that. */
static const FakeFile new_files[] = {
    { KSM "advisor_mode", "none [scan-time]\n" },
    { KSM "ksm_zero_pages", "106\n" },
    { KSM "pages_scanned", "107\n" },
    { KSM "pages_skipped", "108\n" },
    { KSM "smart_scan", "1\n" },
    { KSM "general_profit", "-6400\n" },
};

FakeRoot *
fakehost_new(FakeHostKernel kernel)
{
    FakeRoot *root = fakeroot_new();

    fakeroot_write_table(root, old_kernel, G_N_ELEMENTS(old_kernel));
    if (kernel == FAKEHOST_LINUX_6_18)
        fakeroot_write_table(root, new_files, G_N_ELEMENTS(new_files));
    return root;
}

void
fakehost_add_qemu(FakeRoot *root)
{
    static const char cmdline[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=web\0"
                                  "-uuid\0" FAKEHOST_QEMU_UUID "\0-display\0none";

    fakeroot_write_bytes(root, PROC_QEMU "cmdline", cmdline, sizeof(cmdline));
    fakeroot_write(root, PROC_QEMU "stat",
                   "%d (qemu) S 1 (x) R 1 42 42 0 -1 4 0 0 0 0 1 2 0 0 20 0 3 0 230533 0 0\n",
                   FAKEHOST_QEMU_PID);
    fakeroot_write(root, PROC_QEMU "statm", "9000 5000 1000 10 0 700 0\n");
    fakeroot_write(root, PROC_QEMU "task/42/schedstat", "900000 3000000 21\n");
    fakeroot_write(root, PROC_QEMU "task/43/schedstat", "800000 4000999 33\n");
}

char *
fakehost_uuid(int number)
{
    return g_strdup_printf("11111111-2222-3333-4444-%012d", number);
}

void
fakehost_add_process(FakeRoot *root, int pid, const char *uuid, const char *ksm_stat)
{
    g_autofree char *dir = g_strdup_printf("proc/%d/", pid);
    g_autofree char *cmdline = g_strconcat(dir, "cmdline", NULL);
    g_autofree char *stat = g_strconcat(dir, "stat", NULL);
    g_autofree char *statm = g_strconcat(dir, "statm", NULL);
    g_autofree char *ksm = g_strconcat(dir, "ksm_stat", NULL);
    g_autofree char *arguments = g_strdup_printf("qemu -uuid %s", uuid);
    size_t length = strlen(arguments) + 1;

    g_strdelimit(arguments, " ", '\0'); /* each ends in a NUL */
    fakeroot_write_bytes(root, cmdline, arguments, length);
    fakeroot_write(root, stat, "%d (qemu) S 1 1 1 0 -1 4 0 0 0 0 1 2 0 0 20 0 3 0 %d 0 0\n", pid,
                   pid);
    fakeroot_write(root, statm, "9000 5000 1000 10 0 700 0\n");
    if (ksm_stat)
        fakeroot_write(root, ksm, "%s\n", ksm_stat);
}
