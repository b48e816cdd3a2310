/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <arpa/inet.h>
#include <time.h>

#include "shm/names.h"
#include "tests/unit/config/policy_text.h"

/* Two interfaces, both families, routes of every kind; nothing in the order of the image. */
static const char network_policy[] =
	"version: 1\n"
	"sidecar: {name: n, max_clusters: 8}\n"
	"interfaces:\n"
	"  - name: app\n"
	"    device: af_xdp:a\n"
	"    addresses: [10.1.0.1/24]\n"
	"    gateway: 10.1.0.254\n"
	"  - name: net\n"
	"    device: pci:3b:00.1\n"
	"    addresses: [10.2.0.1/24, 10.4.0.1/16, 2001:db8:2::1/64, fe80::2/64, 10.5.0.1/32]\n"
	"    gateway: [fe80::1]\n"
	"    routes:\n"
	"      - {to: 10.3.0.0/16, via: 10.2.0.253}\n"
	"      - {to: 10.3.7.0/24, via: 10.4.0.253}\n"
	"      - {to: 10.6.0.0/24}\n"
	"    vlan: 7\n"
	"    mtu: 1400\n"
	"    snat: {ports: 40000-41000}\n"
	"listeners:\n"
	"  - {name: l3, bind: 10.1.0.1:443, interface: app, protocol: udp, cluster: v4}\n"
	"  - {name: l2, bind: 10.1.0.1:443, interface: app, protocol: tcp, cluster: v4}\n"
	"  - {name: l4, bind: '[2001:db8:9::1]:80', interface: app, protocol: tcp, cluster: v6}\n"
	"  - {name: l1, bind: 0.0.0.0:80, interface: app, protocol: tcp, cluster: v4}\n"
	"clusters:\n"
	"  - name: v6\n"
	"    endpoints:\n"
	"      - {address: '[2001:db8:2::9]:80'}\n"
	"      - {address: '[2001:db8:7::9]:80'}\n"
	"      - {address: '[fe80::9]:80'}\n"
	"  - name: v4\n"
	"    endpoints:\n"
	"      - {address: 10.3.7.9:80, weight: 5}\n"
	"      - {address: 10.3.8.9:80}\n"
	"      - {address: 10.2.0.9:81}\n"
	"      - {address: 10.2.0.9:80}\n"
	"      - {address: 10.4.9.9:80}\n"
	"      - {address: 10.6.0.9:80}\n"
	"      - {address: 8.8.8.8:53}\n"
	"    timeouts: {idle: 5m, drain: 0}\n"
	"  - {name: empty, endpoints: []}\n";

static const struct image_cluster *cluster_named(const struct image_header *img, const char *name)
{
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		if (strcmp(image_string(img, c[i].name), name) == 0)
			return &c[i];
	}
	abort();
}

static const struct image_endpoint *endpoint_named(const struct image_header *img, const char *name)
{
	const struct image_endpoint *e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);

	for (uint32_t i = 0; i < img->endpoints.count; i++) {
		if (strcmp(image_string(img, e[i].name), name) == 0)
			return &e[i];
	}
	abort();
}

static const char *ip_text(const struct image_ip *ip, uint8_t family)
{
	static char text[INET6_ADDRSTRLEN];

	inet_ntop(family == FAMILY_V4 ? AF_INET : AF_INET6,
		  family == FAMILY_V4 ? &ip->b[12] : ip->b, text, sizeof(text));
	return text;
}

static void endpoints_know_how_they_are_reached(void)
{
	static const struct {
		const char *name;
		const char *next_hop;
		const char *snat;
		uint16_t interface;
	} rows[] = {
		{"10.2.0.9:80", "10.2.0.9", "10.2.0.1", 1},
		{"10.2.0.9:81", "10.2.0.9", "10.2.0.1", 1},
		{"10.4.9.9:80", "10.4.9.9", "10.4.0.1", 1},
		/* the longer of two routes, from the address that shares the router's network */
		{"10.3.8.9:80", "10.2.0.253", "10.2.0.1", 1},
		{"10.3.7.9:80", "10.4.0.253", "10.4.0.1", 1},
		/* on the link by a route alone: the first address */
		{"10.6.0.9:80", "10.6.0.9", "10.2.0.1", 1},
		{"8.8.8.8:53", "10.1.0.254", "10.1.0.1", 0},
		{"[2001:db8:2::9]:80", "2001:db8:2::9", "2001:db8:2::1", 1},
		/* a link-local router, but never a link-local source beyond the link */
		{"[2001:db8:7::9]:80", "fe80::1", "2001:db8:2::1", 1},
		{"[fe80::9]:80", "fe80::9", "fe80::2", 1},
	};
	struct image_header *img = compile_good(network_policy);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct image_endpoint *e = endpoint_named(img, rows[i].name);

		CU_ASSERT_STRING_EQUAL(ip_text(&e->next_hop, e->family), rows[i].next_hop);
		CU_ASSERT_STRING_EQUAL(ip_text(&e->snat, e->family), rows[i].snat);
		CU_ASSERT_EQUAL(e->interface, rows[i].interface);
	}
	free(img);
}

static void routes_stand_longest_first_by_interface(void)
{
	static const char *const expected[] = {
		"0 10.1.0.0/24 -",          "0 0.0.0.0/0 10.1.0.254", "1 10.2.0.0/24 -",
		"1 10.3.7.0/24 10.4.0.253", "1 10.6.0.0/24 -",        "1 10.3.0.0/16 10.2.0.253",
		"1 10.4.0.0/16 -",          "1 2001:db8:2::/64 -",    "1 fe80::/64 -",
		"1 ::/0 fe80::1",
	};
	struct image_header *img = compile_good(network_policy);
	const struct image_route *r = IMAGE_ARRAY(img, struct image_route, routes);
	static const struct image_ip none;

	require(img->routes.count == sizeof(expected) / sizeof(expected[0]));
	for (uint32_t i = 0; i < img->routes.count; i++) {
		char text[128];
		int n = snprintf(text, sizeof(text), "%u %s/%u ", r[i].interface,
				 ip_text(&r[i].to, r[i].family), r[i].prefix);

		snprintf(text + n, sizeof(text) - (size_t)n, "%s",
			 memcmp(&r[i].via, &none, sizeof(none)) != 0
				 ? ip_text(&r[i].via, r[i].family)
				 : "-");
		CU_ASSERT_STRING_EQUAL(text, expected[i]);
	}
	free(img);
}

static void interfaces_and_addresses_keep_the_order_of_the_file(void)
{
	struct image_header *img = compile_good(network_policy);
	const struct image_interface *i = IMAGE_ARRAY(img, struct image_interface, interfaces);
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);

	require(img->interfaces.count == 2);
	CU_ASSERT_STRING_EQUAL(image_string(img, i[0].name), "app");
	CU_ASSERT_STRING_EQUAL(image_string(img, i[0].device), "a");
	CU_ASSERT_EQUAL(i[0].snat_port_low, 32768);
	CU_ASSERT_EQUAL(i[0].snat_port_high, 60999);
	CU_ASSERT_EQUAL(i[0].vlan, 0);
	CU_ASSERT_EQUAL(i[0].mtu, 0);
	CU_ASSERT_EQUAL(i[1].kind, DEVICE_PCI);
	CU_ASSERT_STRING_EQUAL(image_string(img, i[1].device), "0000:3b:00.1");
	CU_ASSERT_EQUAL(i[1].vlan, 7);
	CU_ASSERT_EQUAL(i[1].mtu, 1400);
	CU_ASSERT_EQUAL(i[1].snat_port_low, 40000);
	CU_ASSERT_EQUAL(i[1].snat_port_high, 41000);
	require(img->addresses.count == 6);
	CU_ASSERT_STRING_EQUAL(ip_text(&a[2].ip, a[2].family), "10.4.0.1");
	CU_ASSERT_EQUAL(a[2].prefix, 16);
	CU_ASSERT_EQUAL(a[2].interface, 1);
	free(img);
}

static void listeners_stand_by_interface_protocol_family_and_port(void)
{
	static const char *const expected[] = {"l1", "l2", "l4", "l3"};
	struct image_header *img = compile_good(network_policy);
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);

	require(img->listeners.count == 4);
	for (uint32_t i = 0; i < 4; i++) {
		CU_ASSERT_STRING_EQUAL(image_string(img, l[i].name), expected[i]);
		CU_ASSERT_EQUAL(l[i].key, name_key(expected[i]));
		CU_ASSERT_STRING_EQUAL(image_string(img, c[l[i].cluster].name),
				       l[i].family == FAMILY_V6 ? "v6" : "v4");
	}
	CU_ASSERT_EQUAL(l[0].port, htons(80));
	CU_ASSERT_STRING_EQUAL(ip_text(&l[0].ip, FAMILY_V4), "0.0.0.0");
	CU_ASSERT_EQUAL(l[3].proto, PROTO_UDP);
	free(img);
}

static void clusters_have_sorted_endpoints_and_timeouts(void)
{
	static const char *const expected[] = {"8.8.8.8:53",  "10.2.0.9:80", "10.2.0.9:81",
					       "10.3.7.9:80", "10.3.8.9:80", "10.4.9.9:80",
					       "10.6.0.9:80"};
	struct image_header *img = compile_good(network_policy);
	const struct image_cluster *v4 = cluster_named(img, "v4"), *v6 = cluster_named(img, "v6");
	const struct image_endpoint *e =
		IMAGE_ARRAY(img, struct image_endpoint, endpoints) + v4->first_endpoint;

	require(v4->endpoint_count == 7);
	for (uint32_t i = 0; i < 7; i++) {
		CU_ASSERT_STRING_EQUAL(image_string(img, e[i].name), expected[i]);
		CU_ASSERT_EQUAL(e[i].key, endpoint_key("v4", expected[i]));
		CU_ASSERT_EQUAL(e[i].weight, i == 3 ? 5 : 1);
	}
	CU_ASSERT_EQUAL(v4->timeouts.idle_tcp_ms, 300000);
	CU_ASSERT_EQUAL(v4->timeouts.idle_udp_ms, 300000);
	CU_ASSERT_EQUAL(v4->timeouts.drain_ms, 0);
	CU_ASSERT_EQUAL(v6->timeouts.idle_tcp_ms, 3600000);
	CU_ASSERT_EQUAL(v6->timeouts.idle_udp_ms, 30000);
	CU_ASSERT_EQUAL(v6->timeouts.connect_ms, 1000);
	CU_ASSERT_EQUAL(v6->timeouts.request_ms, 15000);
	CU_ASSERT_EQUAL(v6->timeouts.half_closed_ms, 60000);
	CU_ASSERT_EQUAL(v6->timeouts.max_duration_ms, 0);
	CU_ASSERT_EQUAL(v6->timeouts.verdict_after_ms, 1000);
	CU_ASSERT_EQUAL(v6->timeouts.drain_ms, 30000);
	CU_ASSERT_EQUAL(cluster_named(img, "empty")->endpoint_count, 0);
	CU_ASSERT_EQUAL(cluster_named(img, "empty")->table_count, 0);
	free(img);
}

static void sidecar_has_its_defaults(void)
{
	struct image_header *img = compile_good(network_policy);

	CU_ASSERT_STRING_EQUAL(image_string(img, img->sidecar.name), "n");
	CU_ASSERT_EQUAL(img->sidecar.workers, 1);
	CU_ASSERT_EQUAL(img->sidecar.connections, 16384);
	CU_ASSERT_EQUAL(img->sidecar.listeners, 256);
	CU_ASSERT_EQUAL(img->sidecar.clusters, 8);
	CU_ASSERT_EQUAL(img->sidecar.endpoints, 4096);
	CU_ASSERT_EQUAL(img->sidecar.slot_bytes, 4 << 20);
	CU_ASSERT_EQUAL(img->sidecar.idle, IDLE_ADAPTIVE);
	CU_ASSERT_EQUAL(img->sidecar.hugepages, HUGEPAGES_AUTO);
	CU_ASSERT_EQUAL(img->sidecar.cpus, 0);
	CU_ASSERT_EQUAL(img->sidecar.spin_us, 5);
	CU_ASSERT_EQUAL(img->sidecar.verify_checksums, 0);
	CU_ASSERT_EQUAL(img->sidecar.buffers, 0);
	CU_ASSERT_EQUAL(img->generation, 0);
	free(img);
}

static void sidecar_takes_what_the_file_says(void)
{
	char *text = changed_policy(good_policy, "  workers: 1\n",
				    "  workers: 2\n  cpus: [1, 3]\n  idle: poll\n  spin: 1ms\n"
				    "  hugepages: always\n  connections: 64\n  buffers: 1Ki\n"
				    "  verify_checksums: true\n  policy_slot: 1MiB\n");
	struct image_header *img = compile_good(text);

	CU_ASSERT_EQUAL(img->sidecar.workers, 2);
	CU_ASSERT_EQUAL(img->sidecar.cpus, 1 << 1 | 1 << 3);
	CU_ASSERT_EQUAL(img->sidecar.idle, IDLE_POLL);
	CU_ASSERT_EQUAL(img->sidecar.spin_us, 1000);
	CU_ASSERT_EQUAL(img->sidecar.hugepages, HUGEPAGES_ALWAYS);
	CU_ASSERT_EQUAL(img->sidecar.connections, 64);
	CU_ASSERT_EQUAL(img->sidecar.buffers, 1024);
	CU_ASSERT_EQUAL(img->sidecar.verify_checksums, 1);
	CU_ASSERT_EQUAL(img->sidecar.slot_bytes, 1 << 20);
	free(img);
	free(text);
}

static void same_text_gives_the_same_bytes(void)
{
	struct image_header *first = compile_good(network_policy);
	struct image_header *other = compile_good(good_policy);
	struct image_header *second = compile_good(network_policy);

	require(first->length == second->length);
	CU_ASSERT_EQUAL(memcmp(first, second, first->length), 0);
	CU_ASSERT_NOT_EQUAL(first->content_hash, other->content_hash);
	free(first);
	free(other);
	free(second);
}

static void image_is_what_its_reader_accepts(void)
{
	struct image_header *img = compile_good(network_policy);
	char why[160];

	CU_ASSERT_EQUAL(image_check(img, img->length, why, sizeof(why)), 0);
	((uint8_t *)img)[img->length / 2] ^= 1;
	CU_ASSERT_NOT_EQUAL(image_check(img, img->length, why, sizeof(why)), 0);
	free(img);
}

/* A policy of @clusters clusters, "c0" with the endpoints of row 0 and so on. */
static struct image_header *compile_clusters(const char *const *rows, size_t clusters)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct image_header *img;

	require(out != NULL);
	fputs("version: 1\nsidecar: {name: n}\n"
	      "interfaces: [{name: a, device: af_xdp:a, addresses: 10.0.0.1/8}]\nclusters:\n",
	      out);
	for (size_t i = 0; i < clusters; i++)
		fprintf(out, "  - {name: c%zu, %s}\n", i, rows[i]);
	fclose(out);
	img = compile_good(text);
	free(text);
	return img;
}

static void equal_tables_are_stored_once(void)
{
	static const char *const rows[] = {
		"endpoints: [{address: 10.0.0.2:80}, {address: 10.0.0.3:80}]",
		"endpoints: [{address: 10.0.0.4:80, weight: 9}, {address: 10.0.0.5:80, weight: 9}]",
		"endpoints: [{address: 10.0.0.4:80, weight: 1}, {address: 10.0.0.5:80, weight: 2}]",
		"load_balancing: {algorithm: maglev},"
		" endpoints: [{address: 10.0.0.2:80}, {address: 10.0.0.3:80}]",
		"load_balancing: {algorithm: maglev, hash_on: [source_port]},"
		" endpoints: [{address: 10.0.0.3:80}, {address: 10.0.0.2:80}]",
		"load_balancing: {algorithm: maglev},"
		" endpoints: [{address: 10.0.0.2:80}, {address: 10.0.0.4:80}]",
	};
	struct image_header *img = compile_clusters(rows, 6);
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	const uint16_t *t = IMAGE_ARRAY(img, uint16_t, tables);

	CU_ASSERT_EQUAL(img->tables.count, 2 + 3 + 1009 + 1009);
	CU_ASSERT_EQUAL(c[0].table_first, 0);
	CU_ASSERT_EQUAL(c[0].table_count, 2);
	CU_ASSERT_EQUAL(c[1].table_first, 0);
	CU_ASSERT_EQUAL(c[2].table_first, 2);
	CU_ASSERT_EQUAL(c[2].table_count, 3);
	CU_ASSERT_EQUAL(c[3].table_count, 1009);
	CU_ASSERT_EQUAL(c[4].table_first, c[3].table_first);
	CU_ASSERT_EQUAL(c[5].table_first, c[3].table_first + 1009);
	CU_ASSERT_EQUAL(c[4].hash_on, HASH_ON_SOURCE_PORT);
	CU_ASSERT(t[0] == 0 && t[1] == 1);
	CU_ASSERT(t[2] == 1 && t[3] == 0 && t[4] == 1);
	free(img);
}

/* @clusters clusters of @each endpoints with weights of every size. */
static char *large_policy(unsigned int clusters, unsigned int each, const char *algorithm)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	require(out != NULL);
	fputs("version: 1\n"
	      "sidecar: {name: n, max_listeners: 1024, max_clusters: 1024, max_endpoints: 16384,\n"
	      "          policy_slot: 16MiB}\n"
	      "interfaces: [{name: a, device: af_xdp:a, addresses: 10.0.0.1/8}]\n"
	      "clusters:\n",
	      out);
	for (unsigned int c = 0; c < clusters; c++) {
		fprintf(out, "  - name: c%u\n    load_balancing: {algorithm: %s}\n    endpoints:\n",
			c, algorithm);
		for (unsigned int e = 0; e < each; e++)
			fprintf(out, "      - {address: 10.%u.%u.%u:80, weight: %u}\n", 1 + c / 200,
				c % 200 + e / 250, 1 + e % 250,
				algorithm[0] == 'm' ? 3 : 1 + (c * 7 + e * 31) % 256);
	}
	fclose(out);
	return text;
}

static void largest_policies_compile(void)
{
	static const struct {
		unsigned int clusters, each;
		const char *algorithm;
	} rows[] = {
		{1000, 16, "round_robin"},
		{1, 16384, "round_robin"},
		{1000, 16, "maglev"},
		{1, 16384, "maglev"},
	};

	for (size_t i = 0; i < 4; i++) {
		char *text = large_policy(rows[i].clusters, rows[i].each, rows[i].algorithm);
		struct timespec start, end;
		struct image_header *img;

		clock_gettime(CLOCK_MONOTONIC, &start);
		img = compile_good(text);
		clock_gettime(CLOCK_MONOTONIC, &end);
		printf("\n    %u x %u %s: %.0f ms, %u KiB ", rows[i].clusters, rows[i].each,
		       rows[i].algorithm,
		       (double)(end.tv_sec - start.tv_sec) * 1e3 +
			       (double)(end.tv_nsec - start.tv_nsec) / 1e6,
		       img->length / 1024);
		CU_ASSERT_EQUAL(img->endpoints.count, rows[i].clusters * rows[i].each);
		free(img);
		free(text);
	}
	printf("\n    ");
}

static void needs_name_every_part(void)
{
	static const char *const parts[] = {"policy slots",
					    "connection table",
					    "names and counters",
					    "packet buffers",
					    "policy state",
					    "events",
					    "memory in all",
					    "16384 entries of 320 B",
					    "rate limits",
					    "latencies",
					    "maps of the XDP program",
					    "SNAT ports"};
	struct image_header *img = compile_good(network_policy);
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	require(out != NULL);
	config_print_needs(img, out);
	fclose(out);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(text, parts[i]));
	free(text);
	free(img);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"reachability", endpoints_know_how_they_are_reached},
		{"routes", routes_stand_longest_first_by_interface},
		{"interfaces", interfaces_and_addresses_keep_the_order_of_the_file},
		{"listeners", listeners_stand_by_interface_protocol_family_and_port},
		{"clusters", clusters_have_sorted_endpoints_and_timeouts},
		{"sidecar defaults", sidecar_has_its_defaults},
		{"sidecar", sidecar_takes_what_the_file_says},
		{"same bytes", same_text_gives_the_same_bytes},
		{"accepted", image_is_what_its_reader_accepts},
		{"equal tables", equal_tables_are_stored_once},
		{"largest", largest_policies_compile},
		{"needs", needs_name_every_part},
		CU_TEST_INFO_NULL,
	};

	return run_suite("compiler", tests);
}
