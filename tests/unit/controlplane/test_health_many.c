/* SPDX-License-Identifier: Apache-2.0 */
/* More endpoints than there may be probes at once. */
#include "tests/unit/controlplane/health_server.h"

static struct image_header *compile_many(uint32_t count, const char *more)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct image_header *made;

	fputs("version: 1\n"
	      "sidecar: {name: unit, workers: 1, connections: 128, max_endpoints: 2048}\n"
	      "interfaces: [{name: net, device: 'af_xdp:eth9', addresses: [10.1.0.1/16]}]\n"
	      "listeners:\n"
	      "  - {name: web, bind: '10.1.0.1:80', interface: net, protocol: tcp, cluster: web}\n"
	      "clusters:\n"
	      "  - name: web\n"
	      "    health_check: {type: http, source: 10.1.0.3, interval: 100ms}\n"
	      "    endpoints:\n",
	      out);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "      - {address: '10.1.%u.%u:80'}\n", 1 + i / 250, 1 + i % 250);
	fputs(more, out);
	fclose(out);
	made = fixture_compile(text);
	free(text);
	return made;
}

static uint32_t unknown(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cluster()->endpoint_count; i++)
		n += admin(i).health == HEALTH_UNKNOWN;
	return n;
}

/* The server says nothing: each probe lasts until its timeout. */
static void a_thousand_endpoints_are_probed_in_turns(void)
{
	image = compile_many(1000, "");
	prepare();
	cluster()->health.timeout_ms = TIMEOUT_MS;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	while (unknown() > 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT(connections >= 1000);
	/* No upper bound: the server, in the same loop, sees ends later than the prober. */
	CU_ASSERT(open_most > HEALTH_MAX_PROBES / 2);
	CU_ASSERT_EQUAL(region.events->head, 1000);
	end();
}

/* A cluster that hangs, with more endpoints than there may be probes, beside one that does not. */
static void a_cluster_that_hangs_does_not_hold_up_another(void)
{
	struct image_cluster *other;
	uint32_t before;

	image = compile_many(HEALTH_MAX_PROBES + 50,
			     "  - name: other\n"
			     "    health_check: {type: tcp, source: 10.1.0.3}\n"
			     "    endpoints: [{address: '10.1.9.1:80'}]\n");
	start();
	cluster()->health.timeout_ms = 60000;
	other = cluster() + 1;
	other->health.source = cluster()->health.source;
	other->health.interval_ms = other->health.unhealthy_interval_ms = INTERVAL_MS;
	other->health.timeout_ms = 60000;
	endpoint()[other->first_endpoint].ip = image_ip_v4(htonl(INADDR_LOOPBACK));
	endpoint()[other->first_endpoint].port = server_port;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	run_until_connections(HEALTH_MAX_PROBES / 2);
	/* A reload keeps the count of what is under way. */
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	before = connections;
	for (int i = 0; i < 500 && connections <= before + 5; i++)
		run_for(INTERVAL_MS);
	CU_ASSERT(open_now < HEALTH_MAX_PROBES);
	CU_ASSERT(connections > before + 5);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_thousand_endpoints_are_probed_in_turns),
	SUITE_TEST(a_cluster_that_hangs_does_not_hold_up_another),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("health_many", tests);
}
