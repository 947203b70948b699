/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* impure.c - what the policy library may not do; purity.py must find all of it, and nothing else */
#include <stdlib.h>
#include <string.h>

void *impure_remember(const char *text);
const char *impure_word(unsigned n);

static unsigned calls = 1;
static void *last;
static _Thread_local unsigned mine;
static const char *const words[] = { "constant", "table" }; /* this is fine */

void *
impure_remember(const char *text)
{
    mine += calls++;
    if (!last)
        last = malloc(strlen(text) + mine);
    return last;
}

const char *
impure_word(unsigned n)
{
    return words[n % 2];
}
