/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reload_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/log.h"

const char *reload_result_name(enum reload_result result)
{
	static const char *const names[RELOAD_RESULTS] = {
		[RELOAD_APPLIED] = "applied", [RELOAD_UNCHANGED] = "unchanged",
		[RELOAD_INVALID] = "invalid", [RELOAD_NEEDS_RESTART] = "needs_restart",
		[RELOAD_BUSY] = "busy",       [RELOAD_REFUSED] = "refused",
		[RELOAD_LATE] = "late",       [RELOAD_FAILED] = "failed",
	};

	return names[result];
}

const char *reload_source_name(enum reload_source source)
{
	static const char *const names[RELOAD_SOURCES] = {
		[RELOAD_BY_START] = "start",         [RELOAD_BY_COMMAND] = "command",
		[RELOAD_BY_SIGNAL] = "signal",       [RELOAD_BY_FILE] = "file",
		[RELOAD_BY_ENDPOINTS] = "endpoints", [RELOAD_BY_ROLLBACK] = "rollback",
		[RELOAD_BY_GUARD] = "guard",         [RELOAD_BY_UPGRADE] = "upgrade",
	};

	return names[source];
}

void reload_report_log(const struct reload_report *report)
{
	const struct reload_timings *t = &report->timings;
	const char *name = reload_result_name(report->result);
	const char *source = reload_source_name(report->source);

	switch (report->result) {
	case RELOAD_APPLIED:
		log_info("policy",
			 "event=%s generation=%lu source=%s validate_us=%lu stage_us=%lu "
			 "publish_us=%lu adopt_us=%lu",
			 name, report->generation, source, t->validate_us, t->stage_us,
			 t->publish_us, t->adopt_us);
		break;
	case RELOAD_UNCHANGED:
		log_info("policy", "event=%s generation=%lu source=%s", name, report->generation,
			 source);
		break;
	case RELOAD_INVALID:
		log_error("policy", "event=invalid generation=%lu source=%s kept=yes",
			  report->generation, source);
		log_error_lines("policy", report->detail);
		break;
	default:
		log_error("policy", "event=%s generation=%lu source=%s detail=\"%s\"", name,
			  report->generation, source, report->detail);
	}
}

json_t *reload_timings_json(const struct reload_timings *t)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "validate", (json_int_t)t->validate_us, "stage",
			 (json_int_t)t->stage_us, "publish", (json_int_t)t->publish_us, "adopt",
			 (json_int_t)t->adopt_us);
}

static json_t *count_json(const struct policy_count *count)
{
	return json_pack("{s:i,s:i,s:i}", "added", (int)count->added, "removed",
			 (int)count->removed, "changed", (int)count->changed);
}

json_t *reload_changed_json(const struct policy_counts *changed)
{
	return json_pack("{s:o,s:o,s:o}", "listeners", count_json(&changed->listeners), "clusters",
			 count_json(&changed->clusters), "endpoints",
			 count_json(&changed->endpoints));
}

/* The lines of an invalid file's diagnostics, else the one sentence. */
static json_t *detail_lines(const char *detail)
{
	json_t *lines = json_array();

	while (*detail) {
		size_t bytes = strcspn(detail, "\n");

		if (bytes > 0)
			json_array_append_new(lines, json_stringn(detail, bytes));
		detail += bytes;
		detail += *detail == '\n';
	}
	return lines;
}

json_t *reload_report_json(const struct reload_report *report)
{
	return json_pack("{s:s,s:I,s:s,s:o,s:o,s:o}", "result", reload_result_name(report->result),
			 "generation", (json_int_t)report->generation, "source",
			 reload_source_name(report->source), "errors", detail_lines(report->detail),
			 "timings_us", reload_timings_json(&report->timings), "changed",
			 reload_changed_json(&report->changed));
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
