/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reload_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/log.h"

const char *reload_result_name(enum reload_result result)
{
	static const char *const names[] = {
		[RELOAD_APPLIED] = "applied", [RELOAD_UNCHANGED] = "unchanged",
		[RELOAD_INVALID] = "invalid", [RELOAD_NEEDS_RESTART] = "needs_restart",
		[RELOAD_BUSY] = "busy",       [RELOAD_REFUSED] = "refused",
		[RELOAD_LATE] = "late",       [RELOAD_FAILED] = "failed",
	};

	return names[result];
}

void reload_report_log(const struct reload_report *report)
{
	const char *name = reload_result_name(report->result);

	switch (report->result) {
	case RELOAD_APPLIED:
	case RELOAD_UNCHANGED:
		log_info("policy", "event=%s generation=%lu", name, report->generation);
		break;
	case RELOAD_INVALID:
		log_error("policy", "event=invalid generation=%lu kept=yes", report->generation);
		log_error_lines("policy", report->detail);
		break;
	default:
		log_error("policy", "event=%s generation=%lu detail=\"%s\"", name,
			  report->generation, report->detail);
	}
}

void reload_describe_error(int error, uint32_t image_bytes, uint32_t slot_bytes, char *out,
			   size_t out_size)
{
	switch (error) {
	case -EMSGSIZE:
		snprintf(out, out_size,
			 "the policy image has %u bytes, sidecar.policy_slot is %u: raise it "
			 "(needs a restart)",
			 image_bytes, slot_bytes);
		break;
	case -EBUSY:
		snprintf(out, out_size, "the dataplane holds the policy slots");
		break;
	case -ESTALE:
		snprintf(out, out_size, "another control plane writes this region now");
		break;
	case -ENOSPC:
		snprintf(out, out_size,
			 "too many names: raise sidecar.max_listeners, max_clusters or "
			 "max_endpoints (needs a restart)");
		break;
	default:
		snprintf(out, out_size, "publishing: %s", strerror(-error));
	}
}
