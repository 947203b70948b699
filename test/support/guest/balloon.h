/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon.h - driver for the virtio memory balloon
 */
#pragma once

#include "test/support/guest/stock.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * balloon_init() - find the device and start to listen to it
 * @pages:       of these, free ones are given away, the last first (borrowed for ever)
 * @total_pages: memory of the guest, for its statistics
 *
 * The driver obeys no target by itself; call balloon_serve() after every machine_wait().
 *
 * Return: whether there is a balloon that this driver can use.
 */
bool balloon_init(struct Stock *pages, uint32_t total_pages);

/**
 * balloon_serve() - answer a request for statistics and follow the host's target
 *
 * A target that more than the free pages would be needed for is met as far as possible.
 */
void balloon_serve(void);
