/* SPDX-License-Identifier: Apache-2.0 */
/* How a policy change ended: one outcome, for the log, for who asked, and for the history. */
#ifndef FENDER_CONTROLPLANE_RELOAD_REPORT_H
#define FENDER_CONTROLPLANE_RELOAD_REPORT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/policy_diff.h"

enum reload_result {
	RELOAD_APPLIED,       /* every worker decides by it */
	RELOAD_UNCHANGED,     /* the file says what is in force */
	RELOAD_INVALID,       /* the file has errors: detail has one a line */
	RELOAD_NEEDS_RESTART, /* detail names the key */
	RELOAD_BUSY,          /* too many wait for a change already */
	RELOAD_REFUSED,       /* the dataplane's reason is the detail; the last good one is back */
	RELOAD_LATE,          /* published, not applied in time; still being watched */
	RELOAD_FAILED,        /* could not be staged or published */
	RELOAD_RESULTS,
};

/* Who wanted it. */
enum reload_source {
	RELOAD_BY_START,
	RELOAD_BY_COMMAND,
	RELOAD_BY_SIGNAL,
	RELOAD_BY_FILE,      /* the policy file is another one */
	RELOAD_BY_ENDPOINTS, /* DNS, or a file of endpoints */
	RELOAD_BY_ROLLBACK,
	RELOAD_BY_GUARD,
	RELOAD_BY_UPGRADE, /* with what needs another region */
	RELOAD_SOURCES,
};

/* How long each stage took, in microseconds; 0: it was not come to. */
struct reload_timings {
	uint64_t validate_us; /* parse, check, compile */
	uint64_t stage_us;    /* claim names, limits */
	uint64_t publish_us;  /* copy and swap */
	uint64_t adopt_us;    /* from the swap until the last worker decided by it */
};

struct reload_report {
	enum reload_result result;
	uint64_t generation; /* in force, or published when late */
	const char *detail;  /* valid during the call, "" when there is nothing to add */
	enum reload_source source;
	struct reload_timings timings;
	struct policy_counts changed;
};

typedef void reload_done(void *ctx, const struct reload_report *report);

/* "applied", "needs_restart", …: in logs and HTTP. */
const char *reload_result_name(enum reload_result result);
/* "command", "file", …: likewise. */
const char *reload_source_name(enum reload_source source);

void reload_report_log(const struct reload_report *report);

/*
 * What POST /reload and POST /rollback answer (docs/admin-api.md): a new object, or NULL without
 * memory.
 */
json_t *reload_report_json(const struct reload_report *report);
/* Parts of it. */
json_t *reload_timings_json(const struct reload_timings *timings);
json_t *reload_changed_json(const struct policy_counts *changed);

/* What publish() returned, in a sentence. */
void reload_describe_error(int error, uint32_t image_bytes, uint32_t slot_bytes, char *out,
			   size_t out_size);

#endif
