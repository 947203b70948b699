/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_text.h - the text format of Prometheus */
#ifndef AGENT_REPORT_METRICS_TEXT_H
#define AGENT_REPORT_METRICS_TEXT_H

#include <glib.h>

/**
 * metrics_text_label() - add a label to a list of labels
 * @labels: what has been added so far; appended to
 * @name:   "domain"
 * @value:  any text; bytes that are no UTF-8 are replaced
 */
void metrics_text_label(GString *labels, const char *name, const char *value);

/**
 * metrics_text_head() - the lines above the samples of a metric
 * @out:  appended to
 * @name: of the metric
 * @type: "gauge", "counter", ...
 * @help: one line, without backslashes
 */
void metrics_text_head(GString *out, const char *name, const char *type, const char *help);

/**
 * metrics_text_sample() - one sample
 * @out:    appended to
 * @name:   of the metric, with the suffix that its type asks for
 * @labels: made with metrics_text_label(); "" for none
 * @value:  whole numbers are written without a fraction up to 2^53
 */
void metrics_text_sample(GString *out, const char *name, const char *labels, double value);

#endif
