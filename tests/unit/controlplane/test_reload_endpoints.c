/* SPDX-License-Identifier: Apache-2.0 */
/* New endpoints of the policy in force: DNS and files. */
#include "tests/unit/controlplane/reload_world.h"

static void new_endpoints_do_not_put_an_edited_file_in_force(void)
{
	static const struct resolved_endpoint resolved = {
		.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 0, 99}},
			    .family = FAMILY_V4,
			    .port = 0x3500},
		.weight = 1,
	};
	struct outcome out = {0};
	const struct image_header *policy;
	struct event event;
	uint64_t seq, lost = 0;

	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	seq = region.events->head;
	sets_one = (struct endpoint_set){"dns", &resolved, 1};
	write_policy("weight: 2", "weight: 3");
	reloader_refresh(reloader);
	reloader_refresh(reloader); /* waits, then changes nothing */
	policy = reloader_policy(reloader);
	CU_ASSERT_EQUAL(policy->endpoints.count, 3);
	CU_ASSERT_EQUAL(weight(), 2);
	CU_ASSERT_EQUAL(event_read(region.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_ENDPOINTS_CHANGED);
	CU_ASSERT_EQUAL(event.key, IMAGE_ARRAY(policy, struct image_cluster, clusters)[1].key);
	CU_ASSERT_EQUAL(event.detail, 1);
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	settle(4);
	end();
	sets_one = (struct endpoint_set){0};
}

/* Neither is lost when the other comes to nothing. */
static void endpoints_that_wait_with_a_file_in_error_come_in_force(void)
{
	static const struct resolved_endpoint resolved = {
		.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 0, 99}},
			    .family = FAMILY_V4,
			    .port = 0x3500},
		.weight = 1,
	};
	struct outcome first = {0}, second = {0};

	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &first);
	run_until(&first.count, 1, ADOPTS);
	write_policy("endpoints: [{address: '10.1.0.13:53'}]",
		     "load_balancing: {algorithm: random}\n    endpoints: {dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &second);
	write_policy("weight: 2", "weight: wrong");
	reloader_request_later(reloader, NULL, NULL);
	sets_one = (struct endpoint_set){"dns", &resolved, 1};
	reloader_refresh(reloader);
	run_until(&second.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(reloader_policy(reloader)->endpoints.count, 3);
	end();
	sets_one = (struct endpoint_set){0};
}

/* Names that left keep their places as long as connections have them. */
static void endpoints_without_room_are_tried_again(void)
{
	struct resolved_endpoint resolved[8];
	struct outcome out = {0};

	for (uint8_t i = 0; i < 8; i++)
		resolved[i] = (struct resolved_endpoint){
			.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 1, i + 1}},
				    .family = FAMILY_V4,
				    .port = 0x3500},
			.weight = 1,
		};
	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	sets_one = (struct endpoint_set){"dns", resolved, 4};
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	sets_one.endpoints = &resolved[4]; /* two and four and four are more than eight */
	reloader_refresh(reloader);
	CU_ASSERT_EQUAL(active(), 3);
	/* Nobody says so: what changed last has not come in force. */
	sets_one = (struct endpoint_set){"dns", &resolved[3], 2};
	while (active() < 4)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(reloader_policy(reloader)->endpoints.count, 4);
	end();
	sets_one = (struct endpoint_set){0};
}

static void a_change_of_a_table_is_measured(void)
{
	struct outcome out = {0};
	const struct table_report *web, *dns;

	begin();
	web = reloader_table_report(reloader, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(web);
	CU_ASSERT_EQUAL(web->max_share_over_mean, 100);
	CU_ASSERT_PTR_NULL(reloader_table_report(reloader, 2));
	write_policy("  - name: web\n", "  - name: web\n    load_balancing: {algorithm: maglev}\n");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	web = reloader_table_report(reloader, 0);
	dns = reloader_table_report(reloader, 1);
	CU_ASSERT_EQUAL(web->entries, 1009);
	CU_ASSERT(web->max_share_over_mean >= 100);
	CU_ASSERT_EQUAL(dns->entries, 1);
	CU_ASSERT(reloader_build_us(reloader) > 0);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(new_endpoints_do_not_put_an_edited_file_in_force),
	SUITE_TEST(endpoints_that_wait_with_a_file_in_error_come_in_force),
	SUITE_TEST(endpoints_without_room_are_tried_again),
	SUITE_TEST(a_change_of_a_table_is_measured),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return reload_suite_run("reload_endpoints", tests);
}
