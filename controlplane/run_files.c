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
#include "controlplane/policy_diff.h"
#include "controlplane/program_record.h"
#include "controlplane/reshape.h"
#include "shm/publish.h"
#include "shm/registry_check.h"

int run_fail(struct run *run, const char *what, int error)
{
	snprintf(run->why, sizeof(run->why), "%s: %s", what, strerror(-error));
	return error;
}

/* Found here the error names the policy's key; the dataplane would name a driver. */
int run_check_devices(const struct image_header *image, char *why, size_t why_size)
{
	const struct image_interface *rows = IMAGE_ARRAY(image, struct image_interface, interfaces);

	for (uint32_t i = 0; i < image->interfaces.count; i++) {
		const char *device = image_string(image, rows[i].device);

		if (rows[i].kind != DEVICE_AF_XDP || if_nametoindex(device) != 0)
			continue;
		snprintf(why, why_size,
			 "interfaces[%u].device: no network device '%.32s' in this network "
			 "namespace",
			 i, device);
		return -ENODEV;
	}
	return 0;
}

static int check_devices(struct run *run)
{
	return run_check_devices(run->wanted->image, run->why, sizeof(run->why));
}

/* The one `fender run` names, or what an upgrade has put in its place since. */
static int find_dataplane(struct run *run)
{
	int rc = paths_find_dataplane(run->options->dataplane, run->dataplane,
				      sizeof(run->dataplane), run->why, sizeof(run->why));
	char upgraded[PATH_BYTES];

	memcpy(run->named_dataplane, run->dataplane, sizeof(run->dataplane));
	if (rc == 0 && run->carry->dataplane[0]) {
		memcpy(run->dataplane, run->carry->dataplane, sizeof(run->dataplane));
		return 0;
	}
	if (rc != 0 || program_record_read(run->paths.program, run->dataplane, upgraded,
					   sizeof(upgraded)) != 0)
		return rc;
	if (access(upgraded, X_OK) != 0) {
		log_warn("dataplane", "event=upgrade_forgotten program=%s error=\"%s\"", upgraded,
			 strerror(errno));
		return 0;
	}
	memcpy(run->dataplane, upgraded, sizeof(upgraded));
	log_info("dataplane", "event=upgrade_kept program=%s", upgraded);
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
	return find_dataplane(run);
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

/* The policy that is there cannot be continued: nor can its dataplane, should one run. */
static void leave_region(struct run *run)
{
	if (supervise_end_stray(&run->paths) != 0)
		log_warn("dataplane", "event=stray_left");
	free(run->active);
	run->active = NULL;
	region_close(&run->region);
}

/* The region is open, and of its policy everything is wanted. */
static int carry_on(struct run *run, int is_served)
{
	/* A device that has gone is no reason not to look after a dataplane that runs. */
	int rc = is_served ? 0 : check_devices(run);

	if (rc == 0)
		log_info("region", "event=adopted path=%s bytes=%lu", run->paths.region,
			 run->region.bytes);
	return rc;
}

/* The region is open and of another shape than what is wanted; nobody forwards. */
static int reshape(struct run *run)
{
	struct migrated moved;
	int rc;

	if (!run->active)
		return -ENOENT;
	run_keep_resolved(run);
	if (!policy_same_network(run->active, run->wanted->image))
		run_limits_forget(run);
	rc = reshape_region(&run->region, &run->paths, run->active, run->wanted->image, &moved,
			    run->why, sizeof(run->why));
	if (rc != 0)
		return rc;
	free(run->active);
	run->active = active_policy(&run->region);
	run_upgrade_moved(run, &moved);
	return run->active ? 0 : -EPROTO;
}

static int make_region(struct run *run, int is_served)
{
	int rc = run->wanted ? check_devices(run) : run_no_policy(run);

	if (rc != 0)
		return rc;
	if (run->region.header && !is_served) {
		rc = reshape(run);
		if (rc == 0 || run->carry->phase == CARRY_OVER)
			return rc;
		if (rc != -ENOENT)
			log_warn("region", "event=replaced reason=\"%s\"", run->why);
		run->why[0] = '\0';
	}
	if (run->region.header)
		leave_region(run);
	return active_create(&run->region, &run->paths, run->wanted->image, run->why,
			     sizeof(run->why));
}

/* Nobody works on it, and what its connections and counters go by is lost. */
static int is_damaged(const struct run *run)
{
	const char *what = region_damaged_names(&run->region);

	if (!what && !publisher_can_begin(&run->region))
		what = "policy";
	if (what)
		log_error("region",
			  "event=damaged why=\"something has written over its %s\" action=anew "
			  "connections=lost",
			  what);
	return what != NULL;
}

int run_take_region(struct run *run)
{
	int found, is_served, rc;

	run_upgrade_files(run);
	found = active_open(&run->region, &run->paths, &run->active);
	is_served = found && active_is_served(&run->region, &run->paths);
	if (found && !is_served && is_damaged(run)) {
		leave_region(run);
		found = 0;
	}
	rc = found ? run_choose_policy(run, is_served) : 0;
	if (rc >= 0)
		rc = rc ? carry_on(run, is_served) : make_region(run, is_served);
	if (rc != 0) {
		region_close(&run->region);
		return rc;
	}
	run->has_past = run->active != NULL;
	publisher_begin(&run->region);
	__atomic_store_n(&run->region.header->controlplane_pid, (uint64_t)getpid(),
			 __ATOMIC_RELAXED);
	run_forget_drain(run);
	return 0;
}

int run_leaves_state(const struct run *run)
{
	return (run->has_past && !run->begun) || run_upgrade_keeps(run);
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
	unlink(run->paths.program);
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
