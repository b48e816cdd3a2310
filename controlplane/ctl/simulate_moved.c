/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that go to another endpoint when one policy follows the other. */
#include "config/table_report.h"
#include "controlplane/ctl/simulate.h"

static int picks_by_hash(const struct image_cluster *c)
{
	return c->algorithm == LB_MAGLEV || c->algorithm == LB_RING_HASH ||
	       c->algorithm == LB_RENDEZVOUS;
}

uint32_t simulate_moved_keys(const struct image_header *a, const struct image_header *b,
			     uint32_t number)
{
	const struct image_cluster *from = IMAGE_ARRAY(a, struct image_cluster, clusters);
	const struct image_cluster *to = &IMAGE_ARRAY(b, struct image_cluster, clusters)[number];
	struct table_report report;
	uint32_t i = 0;

	while (i < a->clusters.count && from[i].key != to->key)
		i++;
	if (i == a->clusters.count || !picks_by_hash(&from[i]) || !picks_by_hash(to))
		return UINT32_MAX;
	return table_report(&report, a, b, number) == 0 ? report.moved_keys_percent : UINT32_MAX;
}

void simulate_print_moved(const struct image_header *a, const struct image_header *b,
			  const char *when, FILE *out)
{
	const struct image_cluster *clusters = IMAGE_ARRAY(b, struct image_cluster, clusters);

	for (uint32_t i = 0; i < b->clusters.count; i++) {
		uint32_t moved = simulate_moved_keys(a, b, i);

		if (moved != UINT32_MAX)
			fprintf(out, "%s%s: %.2f%% of the keys go to another endpoint\n", when,
				image_string(b, clusters[i].name), moved / 100.0);
	}
}

json_t *simulate_moved_json(const struct image_header *a, const struct image_header *b)
{
	const struct image_cluster *clusters = IMAGE_ARRAY(b, struct image_cluster, clusters);
	json_t *out = json_object();

	for (uint32_t i = 0; i < b->clusters.count; i++) {
		uint32_t moved = simulate_moved_keys(a, b, i);

		if (moved != UINT32_MAX)
			json_object_set_new(out, image_string(b, clusters[i].name),
					    json_real(moved / 100.0));
	}
	return out;
}

const struct image_header *simulate_image_before(const struct simulate_run *run,
						 const struct sim_scenario *s, size_t change)
{
	const struct image_header *before = run->image;
	uint64_t at_ns = 0;

	for (size_t i = 0; i < s->change_count; i++) {
		const struct sim_change *c = &s->changes[i];
		int earlier = c->at_ns < s->changes[change].at_ns ||
			      (c->at_ns == s->changes[change].at_ns && i < change);

		if (c->kind == SIM_RELOAD && earlier && c->at_ns >= at_ns) {
			before = c->image;
			at_ns = c->at_ns;
		}
	}
	return before;
}
