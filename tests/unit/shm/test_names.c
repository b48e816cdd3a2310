/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/names.h"

#include <string.h>

#include "shm/layout.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

/* Keys stand in regions that outlive a program: the same name has the same key for ever. */
static void keys_never_change(void)
{
	CU_ASSERT_EQUAL(name_key(""), 0xef46db3751d8e999);
	CU_ASSERT_EQUAL(name_key("abc"), 0x44bc2cf5ad770999);
	CU_ASSERT_EQUAL(endpoint_key("orders", "10.0.0.1:80"), name_key("orders/10.0.0.1:80"));
	CU_ASSERT_NOT_EQUAL(name_key("orders"), name_key("order"));
}

static void endpoints_are_written_in_one_way(void)
{
	static const struct {
		const char *ip;
		uint16_t port;
		const char *name;
	} rows[] = {
		{"10.0.0.1", 80, "10.0.0.1:80"},
		{"255.255.255.255", 65535, "255.255.255.255:65535"},
		{"0.0.0.0", 0, "0.0.0.0:0"},
		{"2001:db8::1", 53, "[2001:db8::1]:53"},
		{"::", 1, "[::]:1"},
		{"2001:0db8:1111:2222:3333:4444:5555:6666", 65535,
		 "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"},
	};
	char name[ENDPOINT_NAME_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_ip ip = sample_ip(rows[i].ip);

		endpoint_name(&ip, sample_family(rows[i].ip), htons(rows[i].port), name);
		CU_ASSERT_STRING_EQUAL(name, rows[i].name);
	}
}

static void the_longest_state_name_fits_the_registry(void)
{
	const char *endpoint = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";
	char cluster[NAME_BYTES];
	char name[STATE_NAME_BYTES];

	memset(cluster, 'c', sizeof(cluster));
	cluster[NAME_BYTES - 1] = 0;
	CU_ASSERT_EQUAL(strlen(endpoint), ENDPOINT_NAME_BYTES - 1);
	endpoint_state_name(cluster, endpoint, name);
	CU_ASSERT_EQUAL(strlen(name), NAME_BYTES - 1 + 1 + ENDPOINT_NAME_BYTES - 1);
	CU_ASSERT(strlen(name) < sizeof(((struct registry_entry *)0)->name));
}

static const struct test tests[] = {
	TEST(keys_never_change),
	TEST(endpoints_are_written_in_one_way),
	TEST(the_longest_state_name_fits_the_registry),
};

int main(void)
{
	return suite_run("names", tests, sizeof(tests) / sizeof(tests[0]));
}
