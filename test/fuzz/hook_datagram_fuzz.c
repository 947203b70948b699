/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook_datagram_fuzz.c - any bytes as a datagram of virtksm-hook, to the end: the table of domains
 *
 * What is understood must be fit for the table and for the log. It is told as it is and then as
 * every other operation in turn: whatever it says, there is one domain while it runs, and nothing
 * is left behind when it has been released.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/source/hook_starts.h"
#include "test/support/fakeagent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Kept between inputs, as making one costs more than most of them do. */
static void *agent;

static void
end(void)
{
    fakeagent_teardown(&agent);
}

static Agent *
target(void)
{
    if (!agent) {
        fakeagent_setup(&agent);
        atexit(end);
    }
    return agent;
}

static void
check_sense(const HookMessage *message)
{
    assert(message->operation < HOOK_OTHER);
    assert(message->name && *message->name != '\0' && strlen(message->name) <= 512);
    assert(g_utf8_validate(message->name, -1, NULL));
    assert(message->uuid && strlen(message->uuid) == 36);
    assert(message->id >= 0 || message->id == DOMAIN_ID_UNKNOWN);
    assert(!message->extra || strlen(message->extra) <= 512);
    assert((message->xml != NULL) == (message->xml_length > 0));
}

static void
tell(Agent *to, HookStarts *starts, const HookMessage *message)
{
    HookFault fault = hook_starts_tell(to, starts, message);
    const Domain *domain = domain_table_get(&to->domains, message->uuid);

    assert(fault == HOOK_FINE || fault == HOOK_BAD_DEFINITION);
    assert(domain_table_size(&to->domains) == (domain ? 1 : 0));
    if (message->operation == HOOK_STARTED)
        assert(domain && g_str_equal(domain->name, message->name));
}

static void
tell_all(const HookMessage *read)
{
    Agent *to = target();
    HookMessage message = *read; /* texts are borrowed */
    HookStarts starts;

    hook_starts_init(&starts);
    for (unsigned i = 0; i < HOOK_OTHER; i++) {
        message.operation = (HookOperation)((read->operation + i) % HOOK_OTHER);
        tell(to, &starts, &message);
    }
    message.operation = HOOK_RELEASE;
    tell(to, &starts, &message);
    assert(domain_table_size(&to->domains) == 0);
    assert(g_hash_table_size(starts.by_uuid) == 0);
    hook_starts_done(&starts);
    event_hub_done(&to->events); /* an end is remembered for a while */
    event_hub_init(&to->events);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(HookMessage) message = { 0 };
    HookFault fault = hook_message_read(data, size, &message);

    assert(fault < HOOK_FAULT_COUNT && fault != HOOK_STRANGER && fault != HOOK_BAD_DEFINITION);
    if (fault == HOOK_FINE) {
        check_sense(&message);
        tell_all(&message);
    } else {
        assert(!message.name && !message.uuid && !message.xml);
    }
    return 0;
}
