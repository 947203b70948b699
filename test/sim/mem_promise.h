/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_promise.h - what is promised of every plan, whatever the facts are
 */
#ifndef TEST_SIM_MEM_PROMISE_H
#define TEST_SIM_MEM_PROMISE_H

#include "policy/policy.h"

/** mem_floor() - memory that a domain keeps in any case; Return: bytes */
uint64_t mem_floor(const PolicyConf *conf, const DomainSample *domain);

/**
 * mem_promise() - look for a broken promise
 * @ret_index: the domain that it was broken to; not touched if it was all of them or none
 *
 * Return: static text that says what was broken; NULL: nothing.
 */
const char *mem_promise(const PolicyConf *conf, const Sample *sample, const Plan *plan,
                        size_t *ret_index);

#endif
