/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept_root.c - a fabricated tree that is kept between inputs */
#include "test/fuzz/kept_root.h"

#include <stdlib.h>

static FakeRoot *kept; /* owned; NULL: there was no input yet */

static void
end(void)
{
    fakeroot_free(kept);
}

FakeRoot *
kept_root(FakeRoot *(*make)(void))
{
    if (!kept) {
        kept = make();
        atexit(end);
    }
    return kept;
}
