/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder.h - keeps the history going: moments of the ledger in, minutes out to the database
 */
#ifndef AGENT_RECORDER_H
#define AGENT_RECORDER_H

#include "agent/report/history.h"

typedef struct Agent Agent;
typedef struct Recorder Recorder;

/* How the history is. */
typedef struct {
    bool is_recording;   /* what is measured is written */
    const char *detail;  /* borrowed; why not, or what was found damaged or gone; NULL: nothing */
    uint64_t size_bytes; /* of the database; VALUE_UNKNOWN: it is not open */
    uint64_t waiting;    /* minutes that are not written yet */
    uint64_t lost;       /* minutes that could not be written for so long that they were dropped */
    uint64_t written_us; /* CLOCK_MONOTONIC of the last minute written; 0: none so far */
} RecorderStatus;

/* Takes an answer: ownership of @answer passes, NULL on failure; @error is borrowed. */
typedef void (*RecorderDone)(HistoryAnswer *answer, const GError *error, gpointer user);

/**
 * recorder_open() - measure from now on
 * @agent: with its facts open; outlives the recorder
 *
 * Return: for recorder_close(); NULL if this build keeps no history. There is nothing else that
 * could fail: a history that cannot be opened is tried again each minute.
 */
Recorder *recorder_open(Agent *agent);

/**
 * recorder_close() - write what there is, and end
 * @recorder: accepts NULL
 *
 * Waits a moment for the disk, and no longer.
 */
void recorder_close(Recorder *recorder);

/** recorder_absence() - why there is none, where there is none */
const char *recorder_absence(void);

/** recorder_status() - how the history is */
RecorderStatus recorder_status(const Recorder *recorder);

/** recorder_limits() - what is kept, as configured */
HistoryLimits recorder_limits(const Agent *agent);

/**
 * recorder_query() - ask the history
 * @query: copied
 * @done:  called once on the loop, unless the recorder closes before
 * @user:  for @done, which takes it over
 * @drop:  of @user, if @done is not called
 *
 * How many may wait is the caller's to say.
 */
void recorder_query(Recorder *recorder, const HistoryQuery *query, RecorderDone done, gpointer user,
                    GDestroyNotify drop);

#endif
