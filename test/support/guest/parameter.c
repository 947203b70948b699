/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parameter.c - numbers from the guest's command line
 */
#include "test/support/guest/parameter.h"

#include <stddef.h>

static const char *
value_of(const char *word, const char *name)
{
    while (*name && *word == *name) {
        word++;
        name++;
    }
    return *name == '\0' && *word == '=' ? word + 1 : NULL;
}

uint32_t
parameter(const char *line, const char *name, uint32_t fallback)
{
    while (*line) {
        const char *value = value_of(line, name);
        uint32_t number = 0;

        if (value) {
            for (; *value >= '0' && *value <= '9'; value++)
                number = number * 10 + (uint32_t)(*value - '0');
            return number;
        }
        while (*line && *line != ' ')
            line++;
        while (*line == ' ')
            line++;
    }
    return fallback;
}
