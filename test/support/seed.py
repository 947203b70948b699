# SPDX-License-Identifier: LGPL-2.1-or-later
"""seed.py - what the chance of a test begins with: always the same, or what VIRTKSM_SEED says

It is a number, or "random", which takes another one each time. The twin of test/support/dice.h.
"""
import os
import random

USUAL = 20240501
LIMIT = 2 ** 64


def seed():
    text = os.environ.get("VIRTKSM_SEED")
    if text is None:
        number = USUAL
    elif text == "random":
        number = random.randrange(LIMIT)
    elif text.isascii() and text.isdigit() and int(text) < LIMIT:
        number = int(text)
    else:
        raise SystemExit("VIRTKSM_SEED=%s: want a number below 2^64, or random" % text)
    print("VIRTKSM_SEED=%d" % number, flush=True)
    return number
