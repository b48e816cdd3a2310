/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/resolve_set.h"

#include <arpa/inet.h>

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static void add(struct resolve_set *set, uint32_t ip, uint16_t port, uint32_t weight,
		uint32_t priority)
{
	const struct resolved_endpoint e = {
		.address = {.ip = image_ip_v4(htonl(ip)), .family = FAMILY_V4, .port = htons(port)},
		.weight = weight,
		.priority = priority,
	};

	CU_ASSERT_EQUAL_FATAL(resolve_set_add(set, &e), 0);
}

static void the_order_of_answers_and_repetitions_change_nothing(void)
{
	struct resolve_set a = {0}, b = {0};

	for (uint32_t i = 0; i < 100; i++)
		add(&a, i, 80, 1, 0);
	for (uint32_t i = 200; i > 0; i--)
		add(&b, (i - 1) % 100, 80, 1, 0);
	resolve_set_finish(&a);
	resolve_set_finish(&b);
	CU_ASSERT_EQUAL(b.count, 100);
	CU_ASSERT_TRUE(resolve_set_equal(&a, &b));
	b.endpoints[7].weight = 2;
	CU_ASSERT_FALSE(resolve_set_equal(&a, &b));
	resolve_set_free(&a);
	resolve_set_free(&b);
}

static void of_equal_addresses_the_one_used_first_stays(void)
{
	struct resolve_set set = {0}, empty = {0};

	add(&set, 1, 80, 9, 1);
	add(&set, 1, 80, 3, 0);
	add(&set, 1, 80, 5, 0);
	add(&set, 1, 81, 1, 0);
	resolve_set_finish(&set);
	CU_ASSERT_EQUAL(set.count, 2);
	CU_ASSERT_EQUAL(set.endpoints[0].weight, 5);
	CU_ASSERT_EQUAL(set.endpoints[0].priority, 0);
	resolve_set_free(&set);
	resolve_set_finish(&empty);
	CU_ASSERT_TRUE(resolve_set_equal(&set, &empty));
}

static void a_set_is_bounded(void)
{
	struct resolve_set set = {0};

	for (uint32_t i = 0; i < MAX_ENDPOINTS + 1; i++)
		add(&set, i, 80, 1, 0);
	CU_ASSERT_EQUAL(set.count, MAX_ENDPOINTS);
	resolve_set_free(&set);
}

static void services_are_ranked_and_weighed(void)
{
	char names[] = "a\0b\0c\0d";
	struct resolve_service s[] = {
		{names + 6, 1, 30, 0},
		{names + 4, 1, 20, 65535},
		{names + 2, 1, 10, 32768},
		{names, 1, 10, 1},
	};

	resolve_services_rank(s, 0);
	resolve_services_rank(s, 4);
	CU_ASSERT_STRING_EQUAL(s[0].target, "a");
	CU_ASSERT_EQUAL(s[0].priority, 0);
	CU_ASSERT_EQUAL(s[0].weight, 1);
	CU_ASSERT_EQUAL(s[1].priority, 0);
	CU_ASSERT_EQUAL(s[1].weight, 128);
	CU_ASSERT_EQUAL(s[2].priority, 1);
	CU_ASSERT_EQUAL(s[2].weight, 256);
	CU_ASSERT_EQUAL(s[3].priority, 2);
	CU_ASSERT_EQUAL(s[3].weight, 1);
}

static void small_weights_and_many_priorities(void)
{
	char name[] = "x";
	struct resolve_service s[10];

	for (uint16_t i = 0; i < 10; i++)
		s[i] = (struct resolve_service){name, 1, (uint16_t)(100 * i), i};
	resolve_services_rank(s, 10);
	for (uint16_t i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(s[i].priority, i < MAX_PRIORITIES ? i : MAX_PRIORITIES - 1);
		CU_ASSERT_EQUAL(s[i].weight, i > 0 ? i : 1);
	}
}

static void an_image_gives_back_what_was_resolved(void)
{
	static const char from[] = "[{address: '10.1.0.13:53'}]";
	static const char to[] = "{dns: 'dns.test:53'}";
	struct resolve_set set = {0};
	struct endpoint_set one = {"dns", NULL, 0};
	struct endpoint_sets sets = {&one, 1}, back;
	struct diagnostics *d = diagnostics_create("test.yaml");
	static const char policy[] = FIXTURE_POLICY;
	const char *at = strstr(policy, from);
	struct image_header *image;
	char text[sizeof(policy) + sizeof(to)];

	add(&set, 0x0a010014, 53, 1, 0);
	add(&set, 0x0a010013, 53, 7, 1);
	resolve_set_finish(&set);
	one.endpoints = set.endpoints;
	one.count = set.count;
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - policy), policy, to, at + strlen(from));
	image = config_compile_resolved(text, strlen(text), &sets, d);
	diagnostics_print(d, stderr);
	diagnostics_free(d);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	CU_ASSERT_EQUAL_FATAL(resolve_sets_of_image(&back, image), 0);
	CU_ASSERT_EQUAL_FATAL(back.count, 1);
	CU_ASSERT_STRING_EQUAL(back.sets[0].cluster, "dns");
	CU_ASSERT_EQUAL(back.sets[0].count, 2);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(back.sets[0].endpoints[i].weight, set.endpoints[i].weight);
		CU_ASSERT_EQUAL(back.sets[0].endpoints[i].priority, set.endpoints[i].priority);
		CU_ASSERT_EQUAL(memcmp(&back.sets[0].endpoints[i].address.ip,
				       &set.endpoints[i].address.ip, 16),
				0);
	}
	resolve_sets_free(&back);
	resolve_set_free(&set);
	free(image);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_order_of_answers_and_repetitions_change_nothing),
	SUITE_TEST(of_equal_addresses_the_one_used_first_stays),
	SUITE_TEST(a_set_is_bounded),
	SUITE_TEST(services_are_ranked_and_weighed),
	SUITE_TEST(small_weights_and_many_priorities),
	SUITE_TEST(an_image_gives_back_what_was_resolved),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("resolve_set", tests);
}
