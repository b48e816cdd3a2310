/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/event_text.h"

#include <string.h>

#include "tests/unit/dataplane/suite.h"

static void lines_say_what_happened(void)
{
	static const char *const rows[][2] = {
		{"{\"seq\":17,\"time\":\"2026-11-21T17:03:12.123Z\",\"event\":\"breaker_opened\","
		 "\"cluster\":\"api\",\"for_ms\":10000}",
		 "   17  11-21 17:03:12.123  cluster api: breaker opened for 10s\n"},
		{"{\"seq\":18,\"time\":\"2026-11-21T17:03:12.123Z\",\"event\":\"health_changed\","
		 "\"endpoint\":\"10.0.0.1:80\",\"health\":\"unhealthy\",\"why\":\"timeout\"}",
		 "   18  11-21 17:03:12.123  endpoint 10.0.0.1:80: unhealthy, timeout\n"},
		{"{\"seq\":19,\"time\":\"2026-11-21T17:03:12.123Z\",\"event\":\"policy_applied\","
		 "\"generation\":4,\"observed\":true}",
		 "   19  11-21 17:03:12.123  policy applied, generation 4 (observed only)\n"},
		{"{\"lost\":3,\"seq\":9}",
		 "3 events up to 9 were overwritten before they could be shown\n"},
		{"{\"restarted\":true}",
		 "the instance was started anew and so were the numbers, or there is no such "
		 "number yet\n"},
		{"{\"restarted\":true,\"last\":7}",
		 "the instance was started anew and so were the numbers, or there is no such "
		 "number yet: the last is 7\n"},
		{"{\"heartbeat\":true,\"seq\":9}", ""},
		{"{\"seq\":1,\"event\":\"x\\u001b[2J\"}", "    1  x?[2J\n"},
		{"[]", "    0  \n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *event = json_loads(rows[i][0], 0, NULL);
		char text[512] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		CU_ASSERT_PTR_NOT_NULL_FATAL(event);
		event_print(event, out);
		fclose(out);
		CU_ASSERT_STRING_EQUAL(text, rows[i][1]);
		json_decref(event);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(lines_say_what_happened),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("event_text", tests);
}
