/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run_state.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/active.h"
#include "controlplane/generations.h"
#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/resolve_set.h"
#include "shm/publish.h"

int run_fail(struct run *run, const char *what, int error)
{
	snprintf(run->why, sizeof(run->why), "%s: %s", what, strerror(-error));
	return error;
}

static int compile(struct run *run, const struct policy_edition *text_of,
		   const struct endpoint_sets *sets)
{
	const struct edition_source source = {
		.path = run->options->policy_path,
		.text_of = text_of,
		.sets = sets,
	};
	char *errors;
	struct policy_edition *edition = policy_edition_compile(&source, &errors);
	const char *said = edition ? edition->warnings : errors;

	/* The second time its warnings are known. */
	if (said && !edition)
		log_error_lines("policy", said);
	else if (said && !text_of)
		log_warn_lines("policy", said);
	free(errors);
	if (!edition) {
		snprintf(run->why, sizeof(run->why), "the policy has errors");
		return -EINVAL;
	}
	policy_edition_free(run->wanted);
	run->wanted = edition;
	return 0;
}

int run_compile_policy(struct run *run)
{
	int rc = compile(run, NULL, NULL);

	if (rc == 0)
		snprintf(run->instance, sizeof(run->instance), "%s",
			 image_string(run->wanted->image, run->wanted->image->sidecar.name));
	return rc;
}

/* Names that were resolved by the run before keep their endpoints until they are again. */
static int compile_with_resolved(struct run *run)
{
	struct endpoint_sets sets;
	int rc = resolve_sets_of_image(&sets, run->active);

	if (rc == 0 && sets.count > 0)
		rc = compile(run, run->wanted, &sets);
	resolve_sets_free(&sets);
	return rc;
}

void run_free_policy(struct run *run)
{
	policy_edition_free(run->wanted);
	free(run->active);
}

/* Found here the error names the policy's key; the dataplane would name a driver. */
int run_check_devices(struct run *run)
{
	const struct image_interface *rows =
		IMAGE_ARRAY(run->wanted->image, struct image_interface, interfaces);

	for (uint32_t i = 0; i < run->wanted->image->interfaces.count; i++) {
		const char *device = image_string(run->wanted->image, rows[i].device);

		if (rows[i].kind != DEVICE_AF_XDP || if_nametoindex(device) != 0)
			continue;
		snprintf(run->why, sizeof(run->why),
			 "interfaces[%u].device: no network device '%.32s' in this network "
			 "namespace",
			 i, device);
		return -ENODEV;
	}
	return 0;
}

int run_find_files(struct run *run)
{
	int rc = paths_set(&run->paths, run->options->run_dir, run->options->shm_dir, run->instance,
			   run->why, sizeof(run->why));

	if (rc != 0)
		return rc;
	if (mkdir(run->paths.run_dir, 0755) != 0 && errno != EEXIST)
		return run_fail(run, run->paths.run_dir, -errno);
	return paths_find_dataplane(run->options->dataplane, run->dataplane, sizeof(run->dataplane),
				    run->why, sizeof(run->why));
}

int run_take_lock(struct run *run)
{
	run->lock_fd = lock_take(run->paths.lock);
	if (run->lock_fd == -EWOULDBLOCK) {
		snprintf(run->why, sizeof(run->why),
			 "instance '%.63s' runs already: another process holds %.128s",
			 run->instance, run->paths.lock);
		return -EWOULDBLOCK;
	}
	return run->lock_fd < 0 ? run_fail(run, run->paths.lock, run->lock_fd) : 0;
}

void run_release_lock(struct run *run)
{
	unlink(run->paths.lock);
	close(run->lock_fd);
}

int run_take_region(struct run *run)
{
	int rc = active_region(&run->region, &run->paths, run->wanted->image, &run->active,
			       run->why, sizeof(run->why));

	if (rc == 0 && run->active && compile_with_resolved(run) != 0)
		log_warn("policy", "event=resolved_lost error=\"%s\"", run->why);

	if (rc == 0) {
		run->has_past = run->active != NULL;
		publisher_begin(&run->region);
		run_forget_drain(run);
	}
	return rc;
}

int run_leaves_state(const struct run *run)
{
	return run->has_past && !run->begun;
}

void run_remove_region(struct run *run)
{
	region_close(&run->region);
	if (run_leaves_state(run))
		return;
	/* A start that failed may have met a dataplane at work: it keeps what it uses. */
	if (lock_held(run->paths.dataplane_lock) == 1)
		return;
	unlink(run->paths.region);
	unlink(run->paths.dataplane_lock);
	generations_remove(run->paths.history);
}

int run_make_fifo(struct run *run)
{
	struct stat st;

	if (mkfifo(run->paths.wake, 0600) == 0)
		return 0;
	if (errno != EEXIST)
		return run_fail(run, run->paths.wake, -errno);
	/* The one a running dataplane has open must stay. */
	if (lstat(run->paths.wake, &st) == 0 && S_ISFIFO(st.st_mode))
		return 0;
	return run_fail(run, run->paths.wake, -EEXIST);
}

void run_remove_fifo(struct run *run)
{
	if (lock_held(run->paths.dataplane_lock) != 1)
		unlink(run->paths.wake);
}
