/* SPDX-License-Identifier: Apache-2.0 */
/* How a policy change ended: one outcome, for the log and for who asked. */
#ifndef FENDER_CONTROLPLANE_RELOAD_REPORT_H
#define FENDER_CONTROLPLANE_RELOAD_REPORT_H

#include <stddef.h>
#include <stdint.h>

enum reload_result {
	RELOAD_APPLIED,       /* every worker decides by it */
	RELOAD_UNCHANGED,     /* the file says what is in force */
	RELOAD_INVALID,       /* the file has errors: detail has one a line */
	RELOAD_NEEDS_RESTART, /* detail names the key */
	RELOAD_BUSY,          /* another change is under way */
	RELOAD_REFUSED,       /* the dataplane's reason is the detail; the last good one is back */
	RELOAD_LATE,          /* published, not applied in time; still being watched */
	RELOAD_FAILED,        /* could not be published */
};

struct reload_report {
	enum reload_result result;
	uint64_t generation; /* in force, or published when late */
	const char *detail;  /* valid during the call, "" when there is nothing to add */
};

typedef void reload_done(void *ctx, const struct reload_report *report);

/* "applied", "needs_restart", …: in logs and HTTP. */
const char *reload_result_name(enum reload_result result);

void reload_report_log(const struct reload_report *report);

/* What publish() returned, in a sentence. */
void reload_describe_error(int error, uint32_t image_bytes, uint32_t slot_bytes, char *out,
			   size_t out_size);

#endif
