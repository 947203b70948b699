/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_test.c - the socket that virtksm-hook sends to: who may, what counts, what is left alone */
#define _GNU_SOURCE
#include "agent/source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hooks/call.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/machine.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define UUID          "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"
#define XML           "<domain id='5'><uuid>" UUID "</uuid>"
#define NOBODY        65534

static uint8_t packed[CALL_MAX_BYTES + 2];

static int
setup(void **state)
{
    Agent *agent;

    fakeagent_setup(state);
    agent = *state;
    agent->options.runtime_dir = fakeroot_path(fakeagent_root(agent));
    return 0;
}

static int
teardown(void **state)
{
    hook_source.close(*state);
    return fakeagent_teardown(state);
}

static char *
socket_path(const Agent *agent)
{
    return g_build_filename(agent->options.runtime_dir, "hook.sock", NULL);
}

static struct sockaddr_un
address_of(const Agent *agent)
{
    g_autofree char *path = socket_path(agent);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    return address;
}

static int
connect_to(const Agent *agent)
{
    struct sockaddr_un address = address_of(agent);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail_msg("connect: %s", g_strerror(errno));
    return fd;
}

static size_t
pack(const char *operation)
{
    const char *const arguments[] = { "web", operation, "begin", "-", NULL };
    const Call call = { arguments, XML, strlen(XML), true };

    return call_pack(&call, true, packed);
}

static void
send_bytes(const Agent *agent, const void *bytes, size_t length)
{
    int fd = connect_to(agent);

    if (send(fd, bytes, length, 0) != (ssize_t)length)
        fail_msg("send: %s", g_strerror(errno));
    close(fd);
    await_idle();
}

static const char *
detail(const Agent *agent)
{
    const char *text = NULL;

    hook_source.state(agent, &text);
    return text ? text : "";
}

static SourceState
state_of(const Agent *agent)
{
    const char *text = NULL;

    return hook_source.state(agent, &text);
}

static void
a_datagram_is_an_event(void **state)
{
    Agent *agent = *state;

    hook_source.open(agent);
    assert_int_equal(state_of(agent), SOURCE_OPEN);
    send_bytes(agent, packed, pack("started"));
    assert_int_equal(domain_table_get(&agent->domains, UUID)->id, 5);
    assert_int_equal(fakeagent_ksm(agent, "run"), 1);
    assert_int_equal(event_hub_count(&agent->events, "hook").events, 1);
    assert_string_equal(detail(agent), "");
}

static void
what_is_wrong_is_counted_by_its_kind(void **state)
{
    Agent *agent = *state;

    hook_source.open(agent);
    send_bytes(agent, "hello", 5);
    send_bytes(agent, "hello", 5);
    send_bytes(agent, packed, pack("hibernated"));
    send_bytes(agent, packed, sizeof(packed));
    send_bytes(agent, "", 0);
    assert_string_equal(detail(agent), "ignored: 1 too large, 2 not a message, 1 without an "
                                       "operation, 1 of an unknown operation");
    assert_int_equal(event_hub_count(&agent->events, "hook").events, 0);
    send_bytes(agent, packed, pack("started")); /* and it goes on */
    assert_int_equal(domain_table_size(&agent->domains), 1);
}

static void
many_at_once_are_all_taken(void **state)
{
    Agent *agent = *state;
    int fd;
    int sent = 0;

    hook_source.open(agent);
    fd = connect_to(agent);
    /* Until the queue is full: whoever sends must not wait then, and does not. */
    while (sent < 1000 && send(fd, packed, pack("reconnect"), MSG_DONTWAIT) > 0)
        sent++;
    assert_int_equal(errno, EAGAIN);
    await_idle();
    assert_int_equal(event_hub_count(&agent->events, "hook").events, sent);
    close(fd);
}

static void
descriptors_that_come_along_are_dropped(void **state)
{
    Agent *agent = *state;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec data = { packed, pack("started") };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
    int pipe_fds[2];
    char byte;
    int fd;

    hook_source.open(agent);
    fd = connect_to(agent);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    control.header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.header), &pipe_fds[1], sizeof(int));
    assert_true(sendmsg(fd, &message, 0) > 0);
    close(pipe_fds[1]);
    await_idle();
    assert_int_equal(domain_table_size(&agent->domains), 1);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0); /* nobody holds the other end */
    close(pipe_fds[0]);
    close(fd);
}

static void
strangers_are_refused_even_if_the_file_lets_them_in(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = socket_path(agent);
    size_t length;
    int status;
    pid_t child;

    if (geteuid() != 0)
        skip_because_machine("only root can send as somebody else");
    hook_source.open(agent);
    chmod(agent->options.runtime_dir, 0755);
    chmod(path, 0666);
    length = pack("started");
    child = fork();
    if (child == 0) {
        struct sockaddr_un address = address_of(agent);
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

        if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
            _exit(2);
        _exit(sendto(fd, packed, length, 0, (const struct sockaddr *)&address, sizeof(address)) <
              0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    await_idle();
    assert_string_equal(detail(agent), "ignored: 1 not from root");
    assert_int_equal(domain_table_size(&agent->domains), 0);
}

/* --- the file --------------------------------------------------------------------------- */

static void
the_file_is_for_its_owner_and_goes_with_the_source(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = socket_path(agent);
    mode_t mask = umask(0);
    struct stat st;

    hook_source.open(agent);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    hook_source.close(agent);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(state_of(agent), SOURCE_CLOSED);
    hook_source.close(agent); /* once more does nothing */
}

static void
a_socket_that_was_left_over_is_replaced(void **state)
{
    Agent *agent = *state;
    struct sockaddr_un address = address_of(agent);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    hook_source.open(agent);
    send_bytes(agent, packed, pack("started"));
    assert_int_equal(domain_table_size(&agent->domains), 1);
}

static void
what_is_no_socket_is_left_alone_and_the_agent_goes_on(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = socket_path(agent);
    g_autofree char *text = NULL;

    fakeroot_write(fakeagent_root(agent), "hook.sock", "precious");
    hook_source.open(agent);
    assert_int_equal(state_of(agent), SOURCE_WAITING);
    assert_non_null(strstr(detail(agent), "not a socket"));
    hook_source.close(agent);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "precious");
}

static void
a_file_that_somebody_has_put_in_its_place_stays(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = socket_path(agent);

    hook_source.open(agent);
    fakeroot_write(fakeagent_root(agent), "hook.sock", "precious");
    hook_source.close(agent);
    assert_int_equal(access(path, F_OK), 0);
}

static void
switched_off_there_is_no_socket(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = socket_path(agent);

    agent->conf->hook_enable = false;
    hook_source.open(agent);
    assert_int_equal(state_of(agent), SOURCE_CLOSED);
    assert_int_equal(access(path, F_OK), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_datagram_is_an_event),
        ON_HOST(what_is_wrong_is_counted_by_its_kind),
        ON_HOST(many_at_once_are_all_taken),
        ON_HOST(descriptors_that_come_along_are_dropped),
        ON_HOST(strangers_are_refused_even_if_the_file_lets_them_in),
        ON_HOST(the_file_is_for_its_owner_and_goes_with_the_source),
        ON_HOST(a_socket_that_was_left_over_is_replaced),
        ON_HOST(what_is_no_socket_is_left_alone_and_the_agent_goes_on),
        ON_HOST(a_file_that_somebody_has_put_in_its_place_stays),
        ON_HOST(switched_off_there_is_no_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
