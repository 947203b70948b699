/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domaintext.h - definitions of domains from snippets, and what is read from them
 *
 * Register the test with SOURCES x_test.c ../support/domaintext.c and LIBS agent_virt.
 */
#ifndef TEST_SUPPORT_DOMAINTEXT_H
#define TEST_SUPPORT_DOMAINTEXT_H

#include "agent/virt/domain_xml.h"

#define QEMU_NS "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
#define HEAD    "<domain type='kvm' " QEMU_NS "><name>n</name>"
/* 256 MiB of main memory, and what is added. */
#define DOMAIN(body) HEAD "<memory>262144</memory>" body "</domain>"
#define BACKED(body) DOMAIN("<memoryBacking>" body "</memoryBacking>")
#define DEVICE(body) DOMAIN("<devices>" body "</devices>")
#define CELLS(body)  DOMAIN("<cpu><numa>" body "</numa></cpu>")
#define ARGS(...)    DOMAIN("<qemu:commandline>" __VA_ARGS__ "</qemu:commandline>")
#define ARG(value)   "<qemu:arg value='" value "'/>"

/**
 * domaintext_parse() - what a definition says
 * @when: of the row; told if the definition is refused, which fails the test
 * @text: all of it
 *
 * Return: to be cleared with domain_xml_clear().
 */
DomainXml domaintext_parse(const char *when, const char *text);

/** domaintext_fixture() - likewise, of a file in test/fixture/domain_xml */
DomainXml domaintext_fixture(const char *name);

#endif
