/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the region that this process alone writes. Written over by something else they would
 * refuse new connections, every reload or the next dataplane for ever.
 */
#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/run_state.h"

#include <string.h>

static void say(uint64_t *word, uint64_t value, const char *name)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) == value)
		return;
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	log_error("region", "event=header_repaired word=%s", name);
}

static void say_interfaces(const struct run *run)
{
	if (memcmp(run->region.interfaces, run->interfaces, sizeof(run->interfaces)) == 0)
		return;
	memcpy(run->region.interfaces, run->interfaces, sizeof(run->interfaces));
	log_error("region", "event=interfaces_repaired");
}

void run_say_words(struct run *run)
{
	struct region_header *header = run->region.header;

	say_interfaces(run);
	say(&header->drain_until_ns, run->drain_until_ns, "drain_until_ns");
	/* Another epoch is a successor's, unless we hold the lock that a successor would hold. */
	if (run->region.epoch == 0 || !lock_is_ours(run->lock_fd, run->paths.lock))
		return;
	say(&header->writer_epoch, run->region.epoch, "writer_epoch");
	say(&header->active, run->region.active, "active");
}
