/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/crc32c.h"

#include <string.h>

#include "tests/unit/shm/suite.h"

/* RFC 3720 appendix B.4, and the customary check value. */
static void published_vectors_come_out(void)
{
	uint8_t data[32];
	static const uint8_t read_command[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
		0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
		0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0,
	};
	static uint32_t (*const both[])(uint32_t, const void *, size_t) = {crc32c, crc32c_portable};

	for (size_t f = 0; f < 2; f++) {
		CU_ASSERT_EQUAL(both[f](0, "", 0), 0);
		CU_ASSERT_EQUAL(both[f](0, "123456789", 9), 0xe3069283);
		memset(data, 0, sizeof(data));
		CU_ASSERT_EQUAL(both[f](0, data, 32), 0x8a9136aa);
		memset(data, 0xff, sizeof(data));
		CU_ASSERT_EQUAL(both[f](0, data, 32), 0x62a8ab43);
		for (unsigned int i = 0; i < 32; i++)
			data[i] = (uint8_t)i;
		CU_ASSERT_EQUAL(both[f](0, data, 32), 0x46dd794e);
		for (unsigned int i = 0; i < 32; i++)
			data[i] = (uint8_t)(31 - i);
		CU_ASSERT_EQUAL(both[f](0, data, 32), 0x113fdb5c);
		CU_ASSERT_EQUAL(both[f](0, read_command, 48), 0xd9963a56);
	}
}

static void both_ways_agree_on_every_length_and_alignment(void)
{
	uint8_t data[256];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 151 + 7);
	for (unsigned int off = 0; off < 8; off++) {
		for (unsigned int bytes = 0; bytes + off <= sizeof(data); bytes++)
			CU_ASSERT_EQUAL(crc32c(off, data + off, bytes),
					crc32c_portable(off, data + off, bytes));
	}
}

static void a_continued_sequence_equals_the_whole(void)
{
	uint8_t data[100];

	memset(data, 0x5a, sizeof(data));
	for (unsigned int cut = 0; cut <= sizeof(data); cut++)
		CU_ASSERT_EQUAL(crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut),
				crc32c(0, data, sizeof(data)));
}

static const struct test tests[] = {
	TEST(published_vectors_come_out),
	TEST(both_ways_agree_on_every_length_and_alignment),
	TEST(a_continued_sequence_equals_the_whole),
};

int main(void)
{
	return suite_run("crc32c", tests, sizeof(tests) / sizeof(tests[0]));
}
