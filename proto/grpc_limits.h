/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_limits.h - counting what a peer costs: bytes held and rates of frames
 */
#ifndef PROTO_GRPC_LIMITS_H
#define PROTO_GRPC_LIMITS_H

#include "proto/grpc.h"

#include <sys/types.h>

/* Bytes in use against a limit, within a larger budget. */
typedef struct GrpcBudget {
    size_t used_bytes;         /* at most @limit_bytes */
    size_t limit_bytes;        /* closed limit */
    struct GrpcBudget *parent; /* borrowed; charged as well; NULL at the top */
} GrpcBudget;

/**
 * grpc_budget_charge() - take bytes from a budget and all its parents, or from none of them
 * Return: false if one of them has too little left
 */
bool grpc_budget_charge(GrpcBudget *budget, size_t bytes);

/**
 * grpc_budget_refund() - give bytes back that were charged
 */
void grpc_budget_refund(GrpcBudget *budget, size_t bytes);

/* Budgets of the users of one kind of socket: nobody takes all of it, and nobody root's. */
typedef struct {
    GrpcBudget all;    /* of all users but root */
    GrpcBudget root;   /* root's, apart */
    GHashTable *users; /* owned; uid -> budget of a user who is not root and has connections */
    size_t user_bytes; /* limit of one of them */
} GrpcUserBudgets;

/**
 * grpc_user_budgets_init() - budgets without users; end with grpc_user_budgets_clear()
 */
void grpc_user_budgets_init(GrpcUserBudgets *budgets, const GrpcLimits *limits);

/**
 * grpc_user_budgets_clear() - the counterpart; nobody has a budget any more
 */
void grpc_user_budgets_clear(GrpcUserBudgets *budgets);

/**
 * grpc_user_budgets_join() - the budget that one more connection of a user shares
 * Return: borrowed, until the last grpc_user_budgets_leave() of that user
 */
GrpcBudget *grpc_user_budgets_join(GrpcUserBudgets *budgets, uid_t uid);

/**
 * grpc_user_budgets_leave() - a connection of a user is gone
 */
void grpc_user_budgets_leave(GrpcUserBudgets *budgets, uid_t uid);

/* Token bucket: a burst that comes back at a steady rate. */
typedef struct {
    uint64_t parts;   /* tokens, in millionths; 0 is empty */
    uint64_t last_us; /* monotonic; when @parts was brought up to date */
    uint32_t burst;   /* tokens when full */
    uint32_t per_s;   /* tokens that come back per second */
} GrpcBucket;

/**
 * grpc_bucket_init() - make a full bucket
 */
void grpc_bucket_init(GrpcBucket *bucket, uint32_t burst, uint32_t per_s, uint64_t now_us);

/**
 * grpc_bucket_take() - take one token
 * @now_us: monotonic time
 *
 * Return: false if there is none
 */
bool grpc_bucket_take(GrpcBucket *bucket, uint64_t now_us);

/**
 * grpc_bucket_give() - put tokens back, up to the burst
 */
void grpc_bucket_give(GrpcBucket *bucket, uint32_t tokens);

#endif
