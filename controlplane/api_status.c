/* SPDX-License-Identifier: Apache-2.0 */
/* What the instance is and whether it works. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/liveness.h"
#include "controlplane/run_state.h"
#include "shm/publish.h"
#include "shm/version.h"

/* docs/admin-api.schema.json, from the tree it is built from. */
__asm__(".section .rodata\n"
	".globl fender_api_schema, fender_api_schema_bytes\n"
	"fender_api_schema: .incbin \"docs/admin-api.schema.json\"\n"
	"0: .balign 8\n"
	"fender_api_schema_bytes: .quad 0b - fender_api_schema\n"
	".previous\n");
extern const char fender_api_schema[];
extern const uint64_t fender_api_schema_bytes;

void api_index(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	json_t *paths = json_array();

	for (size_t i = 0; i < api_route_count; i++) {
		const struct admin_route *route = &api_routes[i];

		if (route->role <= admin_role(request))
			json_array_append_new(paths, json_pack("{s:s,s:s,s:s,s:s*}", "method",
							       route->method, "path", route->path,
							       "summary", route->summary,
							       "parameters", route->query));
	}
	admin_answer(request, MHD_HTTP_OK,
		     json_pack("{s:s,s:s,s:o}", "instance", run->instance, "version",
			       FENDER_VERSION, "paths", paths));
}

void api_schema(void *ctx, struct admin_request *request)
{
	size_t bytes = fender_api_schema_bytes;
	struct admin_text text = {MHD_HTTP_OK, "application/schema+json", malloc(bytes), bytes};

	if (text.text)
		memcpy(text.text, fender_api_schema, bytes);
	admin_answer_text(request, &text);
}

void api_healthz(void *ctx, struct admin_request *request)
{
	admin_answer(request, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
}

/* As many workers as there should be: only the policy is waited for. */
static void what_is_missing(const struct supervise_status *status, const struct liveness *live,
			    char *why, size_t size)
{
	const char *state = supervise_state_name(status->state);

	if (status->state == SUPERVISE_STARTING && live->up == live->workers)
		snprintf(why, size, "the dataplane is %s: not every worker has a policy yet",
			 state);
	else
		snprintf(why, size, "the dataplane is %s: %u of %u workers run", state, live->up,
			 live->workers);
}

/* Why no traffic should be sent here; empty: it may. */
static void why_not_ready(const struct run *run, const struct supervise_status *status,
			  const struct liveness *live, char *why, size_t size)
{
	why[0] = '\0';
	if (run->draining || run->stopping)
		snprintf(why, size, "stopping: new connections are refused");
	else if (run->lost)
		snprintf(why, size,
			 "the dataplane is given up after %llu restarts and packets pass by: "
			 "`fender reload` tries again",
			 (unsigned long long)status->restarts);
	else if (status->state != SUPERVISE_UP)
		what_is_missing(status, live, why, size);
	else if (live->main_hung || live->hung != NO_WORKER)
		snprintf(why, size, "a thread of the dataplane does not answer");
}

void api_readyz(void *ctx, struct admin_request *request)
{
	struct run *run = ctx;
	const struct region_header *header = run->region.header;
	const char *file_fault = reloader_file_fault(run->reloader);
	struct supervise_status status;
	struct liveness live;
	char why[160];
	json_t *body;

	supervisor_status(run->supervisor, &status);
	liveness_read(&live, &run->region, header->dataplane_started_ns, monotonic_ns());
	why_not_ready(run, &status, &live, why, sizeof(why));
	body = json_pack("{s:s,s:s,s:I,s:I}", "status",
			 run->draining ? "draining"
			 : why[0]      ? "not_ready"
				       : "ready",
			 "dataplane", supervise_state_name(status.state), "generation",
			 (json_int_t)active_generation(counter_read(&header->active)),
			 "applied_generation", (json_int_t)live.applied_generation);
	if (why[0])
		json_object_set_new(body, "detail", json_string(why));
	else if (file_fault[0])
		json_object_set_new(
			body, "detail",
			json_sprintf("the policy file is not in force: %s", file_fault));
	admin_answer(request, why[0] ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, body);
}
