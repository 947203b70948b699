/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* setting.c - what a domain may ask for, as a manual */
#include "agent/virt/domain_setting.h"
#include "packaging/reference/reference.h"

void
setting_write_manual(GString *out, const Material *material)
{
    size_t n;
    const DomainSetting *settings = domain_setting_list(&n);
    (void)material;

    for (size_t i = 0; i < n; i++) {
        g_autofree char *text =
            g_strdup_printf("The attribute %s of <virtksm:%s>: %s. If it is anything else, %s.",
                            settings[i].name, settings[i].element, settings[i].expected,
                            settings[i].fallback);

        g_string_append_printf(out, ".TP\n.B %s.%s\n", settings[i].element, settings[i].name);
        roff_append(out, text);
    }
}
