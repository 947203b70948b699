/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parameter.h - numbers from the guest's command line
 */
#pragma once

#include <stdint.h>

/**
 * parameter() - look for a word NAME=NUMBER
 * @line:     command line, words separated by spaces
 * @name:     the part before the equals sign
 * @fallback: what to return when there is no such word
 *
 * Return: the decimal number behind the equals sign; reading ends at the first other character.
 */
uint32_t parameter(const char *line, const char *name, uint32_t fallback);
