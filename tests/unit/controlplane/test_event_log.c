/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/event_log.h"

#include "controlplane/health_reason.h"
#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct region region;
static struct image_header *image;

static struct event of_endpoint(uint16_t kind, uint64_t detail)
{
	const struct image_endpoint *e = IMAGE_ARRAY(image, struct image_endpoint, endpoints);

	return (struct event){.kind = kind,
			      .subject = SUBJECT_ENDPOINT,
			      .slot = registry_find(region.endpoint_registry,
						    region.shape.endpoint_slots, e->key),
			      .key = e->key,
			      .detail = detail};
}

static void texts_name_the_subject_and_what_happened(void)
{
	const struct admin_word sick = {.health = HEALTH_UNHEALTHY, .why = HEALTH_REASON_REFUSED};
	const struct {
		struct event event;
		const char *text;
	} rows[] = {
		{of_endpoint(EVENT_EJECTED, 5120),
		 "event=ejected endpoint=web/10.1.0.11:80 for_ms=5120"},
		{of_endpoint(EVENT_HEALTH_CHANGED, admin_pack(sick)),
		 "event=health_changed endpoint=web/10.1.0.11:80 health=unhealthy why=refused"},
		{{.kind = EVENT_PANIC_BEGAN, .subject = SUBJECT_CLUSTER, .slot = ~0u, .key = 0xab},
		 "event=panic_began cluster=00000000000000ab priority=0"},
		{{.kind = 999, .subject = 999}, "event=unknown subject=0000000000000000"},
	};
	char text[EVENT_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		event_log_text(&region, &rows[i].event, text);
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

static void an_observed_event_says_so(void)
{
	struct event event = of_endpoint(EVENT_READMITTED, 0);
	char text[EVENT_TEXT_BYTES];

	event.observed = 1;
	event_log_text(&region, &event, text);
	CU_ASSERT_STRING_EQUAL(text, "event=readmitted endpoint=web/10.1.0.11:80 observed=yes");
}

static void each_event_is_logged_once_and_loss_is_counted(void)
{
	struct event event = of_endpoint(EVENT_PROBING, 0);
	struct event_log log;
	unsigned int n, sum = 0;

	event_write(region.events, &event);
	event_log_start(&log, &region);
	CU_ASSERT_EQUAL(event_log_run(&log), 0);
	event_write(region.events, &event);
	CU_ASSERT_EQUAL(event_log_run(&log), 1);
	CU_ASSERT_EQUAL(event_log_run(&log), 0);
	for (int i = 0; i < EVENT_RING + 100; i++)
		event_write(region.events, &event);
	while ((n = event_log_run(&log)) > 0) {
		CU_ASSERT_TRUE(n <= EVENT_LOG_BURST);
		sum += n;
	}
	CU_ASSERT_EQUAL(sum + log.lost, EVENT_RING + 100);
	CU_ASSERT_TRUE(log.lost >= 100);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(texts_name_the_subject_and_what_happened),
		SUITE_TEST(an_observed_event_says_so),
		SUITE_TEST(each_event_is_logged_once_and_loss_is_counted),
		CU_TEST_INFO_NULL,
	};
	int rc;

	image = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, image);
	rc = suite_run("event_log", tests);
	region_close(&region);
	free(image);
	return rc;
}
