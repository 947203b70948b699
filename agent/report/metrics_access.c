/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_access.c - the rules of the control socket, for a kind of socket without credentials
 *
 * How much of a domain merges tells its neighbours what is in its memory, so [access]
 * domain_figures holds here as it does for a report. But a TCP socket has no SO_PEERCRED. For a
 * peer on the loopback interface the kernel can be asked who owns the other end: it is a socket of
 * this host with the same pair of addresses, the other way round. Everybody else is "all": nothing
 * is known of who is behind an address.
 *
 * An end that has been closed belongs to nobody, and the kernel says 0, as for root. It has no
 * inode either, and is not believed (nor could it still read an answer).
 *
 * Groups are those of the user database: a process that has the group only from its service
 * manager is not seen as a member.
 *
 * Source: sock_diag(7), inet_diag: idiag_uid, idiag_inode
 */
#define _GNU_SOURCE
#include "agent/report/metrics_access.h"

#include <grp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More groups than anybody has; who has more is judged by the first. */
#define GROUPS_MAX 1024
/* The kernel answers at once. */
#define ANSWER_MS 100

typedef union {
    struct sockaddr any;     /* for the calls, and its family */
    struct sockaddr_in in;   /* where that is AF_INET */
    struct sockaddr_in6 in6; /* where that is AF_INET6 */
} Address;

/* Fills in the pair of addresses as the peer's end has it; false where it is not on loopback. */
static bool
fill_id(int fd, struct inet_diag_req_v2 *req)
{
    Address peer = { .in6 = { 0 } };
    Address own = { .in6 = { 0 } };
    socklen_t peer_size = sizeof(peer);
    socklen_t own_size = sizeof(own);

    if (getpeername(fd, &peer.any, &peer_size) != 0 || getsockname(fd, &own.any, &own_size) != 0)
        return false;
    req->sdiag_family = (uint8_t)peer.any.sa_family;
    if (peer.any.sa_family == AF_INET) {
        req->id.idiag_sport = peer.in.sin_port;
        req->id.idiag_dport = own.in.sin_port;
        req->id.idiag_src[0] = peer.in.sin_addr.s_addr;
        req->id.idiag_dst[0] = own.in.sin_addr.s_addr;
        return ntohl(peer.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (peer.any.sa_family != AF_INET6)
        return false;
    req->id.idiag_sport = peer.in6.sin6_port;
    req->id.idiag_dport = own.in6.sin6_port;
    memcpy(req->id.idiag_src, &peer.in6.sin6_addr, sizeof(req->id.idiag_src));
    memcpy(req->id.idiag_dst, &own.in6.sin6_addr, sizeof(req->id.idiag_dst));
    return IN6_IS_ADDR_LOOPBACK(&peer.in6.sin6_addr);
}

static bool
ask(int netlink, const struct inet_diag_req_v2 *req, struct inet_diag_msg *ret_msg)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } question = { { sizeof(question), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0 }, *req };
    union {
        struct nlmsghdr head;
        char bytes[1024];
    } answer;
    struct timeval patience = { 0, ANSWER_MS * 1000 };
    ssize_t size;

    setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (send(netlink, &question, sizeof(question), 0) != (ssize_t)sizeof(question))
        return false;
    size = recv(netlink, &answer, sizeof(answer), 0);
    if (size < (ssize_t)NLMSG_SPACE(sizeof(*ret_msg)) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    memcpy(ret_msg, NLMSG_DATA(&answer.head), sizeof(*ret_msg));
    return true;
}

static bool
find_owner(int fd, uid_t *ret_uid)
{
    struct inet_diag_req_v2 req = { .sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX };
    struct inet_diag_msg msg;
    int netlink;
    bool found;

    memset(req.id.idiag_cookie, 0xff, sizeof(req.id.idiag_cookie)); /* INET_DIAG_NOCOOKIE */
    if (!fill_id(fd, &req))
        return false;
    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0)
        return false;
    found = ask(netlink, &req, &msg) && msg.idiag_inode != 0;
    close(netlink);
    if (found)
        *ret_uid = msg.idiag_uid;
    return found;
}

static bool
is_member(uid_t uid, const char *group)
{
    g_autofree char *texts = g_malloc(2 * 65536);
    g_autofree gid_t *groups = g_new(gid_t, GROUPS_MAX);
    int n = GROUPS_MAX;
    struct passwd user;
    struct passwd *found_user = NULL;
    struct group entry;
    struct group *found_group = NULL;

    if (getpwuid_r(uid, &user, texts, 65536, &found_user) != 0 || !found_user ||
        getgrnam_r(group, &entry, texts + 65536, 65536, &found_group) != 0 || !found_group)
        return false;
    if (getgrouplist(user.pw_name, user.pw_gid, groups, &n) < 0)
        n = GROUPS_MAX;
    for (int i = 0; i < n; i++)
        if (groups[i] == entry.gr_gid)
            return true;
    return false;
}

bool
metrics_access_check(int fd, Who limit, const char *group)
{
    uid_t uid;

    if (limit == WHO_ALL)
        return true;
    if (!find_owner(fd, &uid))
        return false;
    return uid == 0 || uid == geteuid() || (limit == WHO_GROUP && is_member(uid, group));
}
