/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/migrate_private.h"
#include "shm/publish.h"
#include "shm/region_header.h"
#include "shm/why.h"

/* The row of @after with the name of row @n of @before. */
static uint8_t interface_after(const struct move *m, uint32_t n)
{
	const struct image_interface *before =
		IMAGE_ARRAY(m->before, struct image_interface, interfaces);
	const struct image_interface *after =
		IMAGE_ARRAY(m->after, struct image_interface, interfaces);

	for (uint32_t i = 0; i < m->after->interfaces.count; i++)
		if (strcmp(image_string(m->before, before[n].name),
			   image_string(m->after, after[i].name)) == 0)
			return (uint8_t)i;
	return MOVE_NOWHERE;
}

static void match_interfaces(struct move *m)
{
	for (uint32_t i = 0; i < MAX_INTERFACES; i++)
		m->interface[i] =
			i < m->before->interfaces.count ? interface_after(m, i) : MOVE_NOWHERE;
}

/* The generation that comes next follows the one of @from. */
static void continue_header(const struct move *m)
{
	struct region_header *to = m->to->header;

	region_header_continue(to, m->from->header);
	to->dataplane_starts = m->from->header->dataplane_starts;
	__atomic_store_n(&to->active, m->before->generation << 2, __ATOMIC_SEQ_CST);
	publisher_begin(m->to);
}

static int carry(struct move *m, const struct why *why)
{
	uint64_t *generation = &m->out->generation;
	int rc;

	match_interfaces(m);
	migrate_registries(m);
	continue_header(m);
	rc = publish_prepare(m->to, m->after, 1, generation);
	if (rc)
		return why_fail(why, rc, "the policy does not fit a region of its sizes: %s",
				strerror(-rc));
	rc = migrate_names(m);
	if (rc)
		return why_fail(why, rc, "no memory to carry the region over");
	migrate_counters(m);
	migrate_state(m);
	migrate_connections(m);
	migrate_events(m);
	rc = publish_commit(m->to, m->after, 1, generation);
	return rc ? why_fail(why, rc, "cannot publish the policy: %s", strerror(-rc)) : 0;
}

int region_migrate(const struct migration *m, struct migrated *out, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct move move = {
		.from = m->from,
		.to = m->to,
		.before = m->before,
		.after = m->after,
		.out = out,
	};
	int rc;

	*out = (struct migrated){0};
	rc = carry(&move, &why);
	for (int kind = 0; kind < STATE_KINDS; kind++)
		free(move.slot[kind]);
	return rc;
}

const char *migrate_end_name(unsigned int end)
{
	static const char *const names[MIGRATE_ENDS] = {
		[MIGRATE_NO_INTERFACE] = "interface_gone", [MIGRATE_NO_ADDRESS] = "address_gone",
		[MIGRATE_NO_NAME] = "name_gone",           [MIGRATE_NO_ROOM] = "table_full",
		[MIGRATE_UNREADABLE] = "unreadable",
	};

	return end < MIGRATE_ENDS ? names[end] : "unknown";
}
