/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/stats_view.h"

#include "controlplane/ctl/table.h"
#include "controlplane/stats_json.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct region region;
static struct image_header *image;

/* The region's statistics at a time, as a client gets them. */
static json_t *answer(uint64_t time_ns)
{
	struct stats_process process = {.state = "up", .pid = 4194304, .ready = 1};
	struct stats stats;
	json_t *json;

	if (stats_collect(&stats, &region, image, time_ns))
		abort();
	json = stats_json(&stats, &process);
	stats_free(&stats);
	return json;
}

static char *view(const json_t *now, const json_t *before)
{
	static char text[16384];
	FILE *out = fmemopen(text, sizeof(text), "w");

	stats_view_print(now, before, out);
	fclose(out);
	return text;
}

static size_t widest_line(const char *text)
{
	size_t widest = 0;
	size_t columns = 0;

	for (; *text; text++) {
		if (*text == '\n')
			columns = 0;
		else
			columns += ((unsigned char)*text & 0xc0) != 0x80;
		if (columns > widest)
			widest = columns;
	}
	return widest;
}

static void set_everything(uint64_t value)
{
	for (uint32_t w = 0; w < region.shape.workers; w++) {
		struct packet_counters *p = &region.workers[w].packets;

		region.workers[w].state = WORKER_STOPPED;
		region.workers[w].connections_open = 4 << 20;
		region.workers[w].sleeps = value;
		region.workers[w].applied_generation = 123456;
		p->received = value;
		p->originated = value;
		p->transmitted = value;
		p->consumed = value;
		p->handed_out = value;
		p->handed_in = value;
		for (int r = 0; r < REASON_COUNT; r++)
			p->dropped[r] = value / 100;
		for (uint32_t i = 0; i < 2; i++)
			*region_interface_counters(&region, w, i) = (struct interface_counters){
				value, value * 1000, value, value * 1000, value, {0}};
		for (uint32_t s = 0; s < region.shape.endpoint_slots; s++)
			*region_endpoint_counters(&region, w, s) = (struct call_counters){
				.started = value,
				.succeeded = value,
				.failed = value,
				.opened = value,
				.to_endpoint_bytes = value * 1000,
				.to_client_bytes = value * 1000,
			};
	}
	region.ports[0].mtu = region.ports[1].mtu = 9216;
	region.ports[0].rx_missed = region.ports[1].rx_missed = value;
}

static void lines_fit_80_columns(void)
{
	static const uint64_t values[] = {0,        9999,          123456,
					  99999999, 9999999999999, 9999999999999999};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *now;
		const char *text;

		set_everything(values[i]);
		now = answer(1000000000);
		text = view(now, NULL);
		CU_ASSERT_TRUE(widest_line(text) <= TABLE_WIDTH);
		if (widest_line(text) > TABLE_WIDTH)
			fprintf(stderr, "%s", text);
		json_decref(now);
	}
}

static void every_reason_that_happened_is_explained(void)
{
	json_t *now;
	const char *text;

	set_everything(100);
	now = answer(1000000000);
	text = view(now, NULL);
	for (unsigned int r = 0; r < REASON_COUNT; r++)
		CU_ASSERT_PTR_NOT_NULL(strstr(text, reason_name(r)));
	json_decref(now);
	set_everything(0);
	now = answer(1000000000);
	CU_ASSERT_PTR_NULL(strstr(view(now, NULL), "REASON"));
	json_decref(now);
}

static void with_an_earlier_answer_counters_are_rates(void)
{
	json_t *before;
	json_t *now;
	const char *text;

	set_everything(1000);
	before = answer(1000000000);
	set_everything(4000);
	now = answer(3000000000);
	text = view(now, before);
	/* Two workers, 3000 packets each in two seconds. */
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "packets/s    3000 received, 3000 transmitted"));
	json_decref(before);
	before = now;
	set_everything(1000);
	now = answer(4000000000);
	/* A region made anew counts from zero: no negative rates. */
	CU_ASSERT_PTR_NOT_NULL(strstr(view(now, before), "packets/s    0 received"));
	json_decref(before);
	json_decref(now);
}

/* What a policy only observes has happened to nobody. */
static void an_observed_breaker_is_not_shown_as_open(void)
{
	static const struct {
		const char *mode, *phase, *cluster, *endpoint;
	} rows[] = {
		{"enforce", "open", " open 3s ", " ejected "},
		{"observe", "open", " would open ", " would eject "},
		{"observe", "half_open", " would probe ", " would probe "},
		{"observe", "closed", " closed ", " ok "},
	};
	json_t *now = answer(1000000000);
	static const char *const parts[] = {"clusters", "endpoints"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			json_t *row = json_array_get(json_object_get(now, parts[k]), 0);

			json_object_set_new(row, "breaker",
					    json_pack("{s:s,s:s,s:s,s:i}", "mode", rows[i].mode,
						      "phase", rows[i].phase, "override", "none",
						      "until_ms", 3000));
		}
		CU_ASSERT_PTR_NOT_NULL(strstr(view(now, NULL), rows[i].cluster));
		CU_ASSERT_PTR_NOT_NULL(strstr(view(now, NULL), rows[i].endpoint));
	}
	json_decref(now);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(lines_fit_80_columns),
	SUITE_TEST(every_reason_that_happened_is_explained),
	SUITE_TEST(an_observed_breaker_is_not_shown_as_open),
	SUITE_TEST(with_an_earlier_answer_counters_are_rates),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	int rc;

	image = fixture_compile_with("10.1.0.13:53", "10.1.0.13:65535");
	fixture_region(&region, image);
	rc = suite_run("stats_view", tests);
	region_close(&region);
	free(image);
	return rc;
}
