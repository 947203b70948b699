/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* knob.c - numbers as they stand in a configuration file */
#include "policy/knob.h"
#include "policy/arith.h"

#define PERCENT_DECIMALS 2

bool
knob_number(const Knob *knob, const char *text, uint64_t *ret_value)
{
    unsigned decimals = knob->kind == KNOB_PERCENT ? PERCENT_DECIMALS : 0;
    bool fraction = false;
    uint64_t value = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '.' && p != text && p[1] != '\0' && decimals > 0 && !fraction) {
            fraction = true;
            continue;
        }
        if (*p < '0' || *p > '9' || (fraction && decimals-- == 0))
            return false;
        value = sat_add(mul_div(value, 10, 1), (uint64_t)(*p - '0'));
    }
    for (; decimals > 0; decimals--)
        value = mul_div(value, 10, 1);
    if (*text == '\0' || value < knob->min || value > knob->max)
        return false;
    *ret_value = value;
    return true;
}
