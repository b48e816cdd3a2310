/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits, what Fender shares with the kernel, and the guard of reloads: from file to image. */
#include "shm/image.h"
#include "tests/unit/config/policy_text.h"

#define AFTER_CLUSTER "    cluster: web\n"
#define LIMIT(text)   AFTER_CLUSTER "    rate_limit: " text "\n"

/* good_policy with a `rate_limit` on line 22, and what is then said. */
struct block {
	const char *text;
	const char *messages;
};

#define AT(column)  "p:22:" #column ": error: listeners[0].rate_limit"
#define PER(column) AT(column) ".per_connection"

static const struct block refused[] = {
	{"{}", AT(17) ": found nothing, expected per_connection, per_source or listener\n"},
	{"10k", AT(17) ": found 10k, expected a map\n"},
	{"{per_connection: {}}",
	 PER(34) ".packets_per_second: found nothing, expected it or bytes_per_second, for "
		 "example 20k\n"},
	{"{per_source: {}}",
	 AT(30) ".per_source.connections_per_second: found nothing, expected a number, for "
		"example connections_per_second: 200\n"},
	{"{listener: {burst: 5}}",
	 AT(28) ".listener.connections_per_second: found nothing, expected a number, for "
		"example connections_per_second: 5k\n"},
	{"{per_connection: {packets_per_second: 0}}",
	 PER(55) ".packets_per_second: found 0, expected 1 to 34359738368\n"},
	{"{per_connection: {packets_per_second: 34359738369}}",
	 PER(55) ".packets_per_second: found 34359738369, expected 1 to 34359738368\n"},
	{"{per_connection: {bytes_per_second: 33GiB}}",
	 PER(53) ".bytes_per_second: found 33GiB, expected 1B to 32GiB\n"},
	{"{per_connection: {bytes_per_second: 10k}}",
	 PER(53) ".bytes_per_second: found 10k, expected a size with its unit such as 64KiB or "
		 "4MiB, from 1B to 32GiB\n"},
	{"{per_connection: {packets_per_second: 1, action: delay}}",
	 PER(66) ".action: found delay, expected one of: drop, mark, observe\n"},
	{"{per_connection: {packets_per_second: 1, direction: up}}",
	 PER(69) ".direction: found up, expected one of: both, to_endpoint, to_client\n"},
	{"{per_connection: {packets_per_second: 1, algorithm: bucket}}",
	 PER(69) ".algorithm: found bucket, expected one of: token_bucket, leaky_bucket, "
		 "fixed_window, sliding_window\n"},
	{"{per_connection: {packets_per_second: 1, mode: enforce, action: observe}}",
	 PER(81) ".action: found observe, but mode is enforce; expected one of the two to give "
		 "way\n"},
	{"{listener: {connections_per_second: 1, mode: enforce, action: observe}}",
	 AT(79) ".listener.action: found observe, but mode is enforce; expected one of the two to "
		"give way\n"},
	{"{per_source: {connections_per_second: 1, action: mark}}",
	 AT(66) ".per_source.action: found mark, expected one of: drop, observe\n"},
	{"{requests: {key: source}}",
	 AT(18) ".requests: unknown key; expected one of: per_connection, per_source, listener\n"},

	/* bursts */
	{"{per_connection: {packets_per_second: 10, burst: 0}}",
	 PER(66) ".burst: found 0, expected more than nothing: a number such as 50, a size such "
		 "as 64KiB, or seconds' worth such as 2x\n"},
	{"{per_connection: {packets_per_second: 10, burst: 0x}}",
	 PER(66) ".burst: found 0x, expected more than nothing: a number such as 50, a size such "
		 "as 64KiB, or seconds' worth such as 2x\n"},
	{"{per_connection: {packets_per_second: 10, burst: 2 x}}",
	 PER(66) ".burst: found '2 x', expected more than nothing: a number such as 50, a size "
		 "such as 64KiB, or seconds' worth such as 2x\n"},
	{"{per_connection: {packets_per_second: 10, burst: 64KiB}}",
	 PER(66) ".burst: found bytes, expected a number such as 50 or seconds' worth such as "
		 "2x\n"},
	{"{per_connection: {bytes_per_second: 1MiB, burst: 5000}}",
	 PER(66) ".burst: found a number, expected a size such as 64KiB or seconds' worth such as "
		 "2x\n"},
	{"{per_connection: {packets_per_second: 10, bytes_per_second: 1MiB, burst: 50}}",
	 PER(90) ".burst: packets and bytes are both limited; expected seconds' worth of either "
		 "such as 2x\n"},
	{"{per_connection: {packets_per_second: 10, burst: 0.09x}}",
	 PER(66) ".burst: burst makes 0 packets, less than one packet, which would never pass; "
		 "expected what makes at least 1 packet\n"},
	{"{per_connection: {packets_per_second: 10, burst: 864001}}",
	 PER(66) ".burst: burst makes 864001 packets; expected what makes at most 864000 "
		 "packets\n"},
	{"{per_connection: {packets_per_second: 10, burst: 86401x}}",
	 PER(66) ".burst: burst makes 864010 packets; expected what makes at most 864000 "
		 "packets\n"},
	{"{per_connection: {packets_per_second: 32Gi, burst: 184467440737095516x}}",
	 PER(68) ".burst: burst makes 18446744073709551615 packets; expected what makes at most "
		 "1099511627776 packets\n"},
	{"{per_connection: {bytes_per_second: 1MiB, burst: 1499B}}",
	 PER(66) ".burst: burst makes 1499B, less than the interface's longest packet, which "
		 "would never pass; expected what makes at least 1500B\n"},
	{"{per_connection: {bytes_per_second: 1000B, burst: 1x}}",
	 PER(67) ".burst: burst makes 1000B, less than the interface's longest packet, which "
		 "would never pass; expected what makes at least 1500B\n"},
	{"{per_source: {connections_per_second: 10, burst: 1KiB}}",
	 AT(66) ".per_source.burst: found bytes, expected a number such as 50 or seconds' worth "
		"such as 2x\n"},

	/* windows */
	{"{per_connection: {packets_per_second: 10, window: 1s}}",
	 PER(67) ".window: a bucket has no window; expected algorithm: fixed_window or "
		 "sliding_window, or not to find this key\n"},
	{"{per_connection: {packets_per_second: 10, algorithm: fixed_window, burst: 2x}}",
	 PER(91) ".burst: a window has no burst; expected algorithm: token_bucket or "
		 "leaky_bucket, or not to find this key\n"},
	{"{per_connection: {packets_per_second: 10, algorithm: fixed_window, window: 99ms}}",
	 PER(92) ".window: found 99ms, expected 100ms to 1h\n"},
	{"{per_connection: {packets_per_second: 10, algorithm: fixed_window, window: 61m}}",
	 PER(92) ".window: found 61m, expected 100ms to 1h\n"},
	{"{per_connection: {packets_per_second: 9, algorithm: fixed_window, window: 100ms}}",
	 PER(91) ".window: window makes 0 packets, less than one packet, which would never pass; "
		 "expected what makes at least 1 packet\n"},
	{"{per_connection: {bytes_per_second: 10KiB, algorithm: sliding_window, window: 100ms}}",
	 PER(95) ".window: window makes 1KiB, less than the interface's longest packet, which "
		 "would never pass; expected what makes at least 1500B\n"},
	{"{per_source: {connections_per_second: 32Gi, algorithm: fixed_window}}",
	 AT(30) ".per_source: window makes 34359738368 connections; expected what makes at most "
		"8589934591 connections\n"},
};

/* The listener over udp. */
static const struct block udp_refused[] = {
	{"{per_connection: {packets_per_second: 1}}",
	 AT(17) ".per_source: found nothing, expected a limit on starts: the listener is udp, "
		"where every packet may begin a flow and so escape per_connection\n" AT(
			17) ".listener: found nothing, expected a limit on starts: the listener is "
			    "udp, where every packet may begin a flow and so escape "
			    "per_connection\n"},
	{"{per_connection: {packets_per_second: 1}, per_source: {connections_per_second: 1}}",
	 AT(17) ".listener: found nothing, expected a limit on starts: the listener is udp, where "
		"every packet may begin a flow and so escape per_connection\n"},
	{"{per_connection: {packets_per_second: 1, action: mark}, per_source: "
	 "{connections_per_second: 1}, listener: {connections_per_second: 1}}",
	 PER(66) ".action: found mark, but the listener is udp, which no mark slows down; expected "
		 "drop or observe\n"},
};

static char *limited(const char *policy, const char *block)
{
	char text[512];

	snprintf(text, sizeof(text), LIMIT("%s"), block);
	return changed_policy(policy, AFTER_CLUSTER, text);
}

static void assert_blocks_refused(const char *policy, const struct block *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *text = limited(policy, rows[i].text);

		if (!assert_refused(text, strlen(text), rows[i].messages))
			fprintf(stderr, "--- row: %s\n", rows[i].text);
		free(text);
	}
}

static void limits_that_cannot_be_are_refused(void)
{
	char *udp = changed_policy(good_policy, "protocol: tcp", "protocol: udp");

	assert_blocks_refused(good_policy, refused, sizeof(refused) / sizeof(refused[0]));
	assert_blocks_refused(udp, udp_refused, sizeof(udp_refused) / sizeof(udp_refused[0]));
	free(udp);
}

static const struct refused others_refused[] = {
	{"shared, not of the kernel",
	 {{"    device: af_xdp:a\n", "    device: pci:00:1f.6\n    shared: true\n"}},
	 "p:8:13: error: interfaces[0].shared: the kernel has no part in this device; expected a "
	 "device of af_xdp, or shared: false\n"},
	{"xdp on pci",
	 {{"    device: af_xdp:a\n", "    device: pci:00:1f.6\n    limiter: xdp\n"}},
	 "p:8:14: error: interfaces[0].limiter: found xdp, but the kernel does not see packets of "
	 "this device; expected dpdk, or a device of af_xdp\n"},
	{"xdp on vdev",
	 {{"    device: af_xdp:a\n", "    device: vdev:net_null0\n    limiter: xdp\n"}},
	 "p:8:14: error: interfaces[0].limiter: found xdp, but the kernel does not see packets of "
	 "this device; expected dpdk, or a device of af_xdp\n"},
	{"unknown limiter",
	 {{"    device: af_xdp:a\n", "    device: af_xdp:a\n    limiter: tc\n"}},
	 "p:8:14: error: interfaces[0].limiter: found tc, expected one of: auto, xdp, dpdk, "
	 "none\n"},
	{"kernel addresses without a kernel",
	 {{"    device: af_xdp:a\n", "    device: pci:00:1f.6\n    kernel_addresses: 10.1.0.9\n"}},
	 "p:8:23: error: interfaces[0].kernel_addresses: the kernel has no addresses on this "
	 "device; expected a device of af_xdp, or not to find this key\n"},
	{"kernel addresses of a shared interface",
	 {{"    device: af_xdp:a\n",
	   "    device: af_xdp:a\n    shared: true\n    kernel_addresses: [10.1.0.9]\n"}},
	 "p:9:23: error: interfaces[0].kernel_addresses: the kernel keeps every address of a "
	 "shared interface; expected not to find this key\n"},
	{"an address of Fender and of the kernel",
	 {{"    device: af_xdp:b\n", "    device: af_xdp:b\n    kernel_addresses: [10.1.0.1]\n"}},
	 "p:11:24: error: interfaces[1].kernel_addresses[0]: found 10.1.0.1, the address on line 8 "
	 "too; expected each address once\n"},
	{"a kernel address twice",
	 {{"    device: af_xdp:a\n",
	   "    device: af_xdp:a\n    kernel_addresses: [10.1.0.8, 10.1.0.8]\n"}},
	 "p:8:34: error: interfaces[0].kernel_addresses[1]: found 10.1.0.8, the address on line 8 "
	 "too; expected each address once\n"},
	{"a kernel address with a prefix",
	 {{"    device: af_xdp:a\n", "    device: af_xdp:a\n    kernel_addresses: 10.1.0.8/24\n"}},
	 "p:8:23: error: interfaces[0].kernel_addresses: found 10.1.0.8/24, expected the IPv4 or "
	 "IPv6 address of a host such as 10.0.0.1 or 2001:db8::1\n"},
	{"bound to an address of the kernel",
	 {{"    device: af_xdp:a\n", "    device: af_xdp:a\n    kernel_addresses: [10.1.0.8]\n"},
	  {"bind: 10.1.0.1:80", "bind: 10.1.0.8:80"}},
	 "p:19:11: error: listeners[0].bind: found one of the interface's kernel_addresses, "
	 "packets for which go to the kernel; expected another address\n"},
	{"an endpoint at an address of the kernel",
	 {{"    device: af_xdp:b\n", "    device: af_xdp:b\n    kernel_addresses: [10.2.0.12]\n"}},
	 "p:28:18: error: clusters[0].endpoints[1].address: found 10.2.0.12, an address of Fender "
	 "itself (line 11), so connections would go in a circle; expected a server's address\n"},
	{"pass without a shared interface",
	 {{"  workers: 1\n", "  on_dataplane_loss: pass\n"}},
	 "p:4:22: error: sidecar.on_dataplane_loss: found pass, but no interface is shared: the "
	 "kernel has no way for this traffic; expected drop, or an interface with shared: true\n"},
	{"unknown loss",
	 {{"  workers: 1\n", "  on_dataplane_loss: reset\n"}},
	 "p:4:22: error: sidecar.on_dataplane_loss: found reset, expected one of: drop, pass\n"},
	{"nothing watched",
	 {{"version: 1\n", "version: 1\nreload: {rollback_if: {error_rate: 0}}\n"}},
	 "p:2:23: error: reload.rollback_if: error_rate and p99 are both 0, so that nothing is "
	 "watched; expected one of them, or no reload\n"},
	{"guard out of range",
	 {{"version: 1\n", "version: 1\nreload: {watch: 500ms, minimum_calls: 0, rollback_if: "
			   "{error_rate: 101%, p99: 11m}}\n"}},
	 "p:2:17: error: reload.watch: found 500ms, expected 1s to 1h\n"
	 "p:2:39: error: reload.minimum_calls: found 0, expected 1 to 1000000\n"
	 "p:2:68: error: reload.rollback_if.error_rate: found 101%, expected 0% to 100%\n"
	 "p:2:79: error: reload.rollback_if.p99: found 11m, expected 0 to 10m\n"},
};

static void what_cannot_be_shared_is_refused(void)
{
	for (size_t i = 0; i < sizeof(others_refused) / sizeof(others_refused[0]); i++)
		assert_row_refused(&others_refused[i]);
}

/* The first listener's limits of good_policy with this block. */
static struct image_rate_limit limits_of(const char *block)
{
	char *text = limited(good_policy, block);
	struct image_header *image = compile_good(text);
	struct image_rate_limit limits =
		IMAGE_ARRAY(image, struct image_listener, listeners)->rate_limit;

	free(image);
	free(text);
	return limits;
}

#define BUCKET(units_a_second, units)                                                             \
	{                                                                                         \
		.rate = (units_a_second), .burst = (units), .algorithm = IMAGE_LIMIT_TOKEN_BUCKET \
	}
#define BOTH (IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT)

static const struct {
	const char *block;
	struct image_rate_limit limits;
} compiled[] = {
	{"{per_connection: {packets_per_second: 20k, bytes_per_second: 10MiB, burst: 2x, action: "
	 "drop, direction: both}, per_source: {connections_per_second: 200, burst: 50}, listener: "
	 "{connections_per_second: 5k}}",
	 {.packets = BUCKET(20000, 40000),
	  .bytes = BUCKET(10 << 20, 20 << 20),
	  .source = BUCKET(200, 50),
	  .listener = BUCKET(5000, 5000),
	  .directions = BOTH}},
	{"{per_connection: {packets_per_second: 100}}",
	 {.packets = BUCKET(100, 100), .directions = BOTH}},
	/* the default burst gives way to the longest packet */
	{"{per_connection: {bytes_per_second: 1B}}",
	 {.bytes = BUCKET(1, 1500), .directions = BOTH}},
	{"{per_connection: {bytes_per_second: 1B, burst: 86400B}}",
	 {.bytes = BUCKET(1, 86400), .directions = BOTH}},
	{"{per_connection: {bytes_per_second: 4000B, burst: 0.5x, direction: to_client}}",
	 {.bytes = BUCKET(4000, 2000), .directions = IMAGE_LIMIT_TO_CLIENT}},
	{"{per_connection: {bytes_per_second: 32GiB, burst: 32x, direction: to_endpoint}}",
	 {.bytes = BUCKET(MAX_LIMIT_RATE, MAX_LIMIT_BURST), .directions = IMAGE_LIMIT_TO_ENDPOINT}},
	{"{per_connection: {packets_per_second: 3, burst: 1, algorithm: leaky_bucket, action: "
	 "mark}}",
	 {.packets = {.rate = 3, .burst = 1, .algorithm = IMAGE_LIMIT_LEAKY_BUCKET},
	  .action = IMAGE_LIMIT_MARK,
	  .directions = BOTH}},
	{"{per_connection: {packets_per_second: 10, algorithm: fixed_window, window: 100ms}}",
	 {.packets = {.rate = 10, .window_ms = 100, .algorithm = IMAGE_LIMIT_FIXED_WINDOW},
	  .directions = BOTH}},
	{"{listener: {connections_per_second: 8589934591, algorithm: sliding_window}}",
	 {.listener = {.rate = MAX_LIMIT_COUNT,
		       .window_ms = 1000,
		       .algorithm = IMAGE_LIMIT_SLIDING_WINDOW}}},
	/* what a dry run of a limit is: action stays where it is */
	{"{per_connection: {packets_per_second: 1, mode: observe, action: mark}}",
	 {.packets = BUCKET(1, 1), .action = IMAGE_LIMIT_OBSERVE, .directions = BOTH}},
	{"{per_connection: {packets_per_second: 1, mode: observe, action: observe}}",
	 {.packets = BUCKET(1, 1), .action = IMAGE_LIMIT_OBSERVE, .directions = BOTH}},
	{"{per_source: {connections_per_second: 1, mode: observe}, listener: "
	 "{connections_per_second: 1, action: observe}}",
	 {.source = BUCKET(1, 1),
	  .listener = BUCKET(1, 1),
	  .source_action = IMAGE_LIMIT_OBSERVE,
	  .listener_action = IMAGE_LIMIT_OBSERVE}},
};

static void limits_are_what_the_file_says(void)
{
	for (size_t i = 0; i < sizeof(compiled) / sizeof(compiled[0]); i++) {
		struct image_rate_limit found = limits_of(compiled[i].block);
		int same = memcmp(&found, &compiled[i].limits, sizeof(found)) == 0;

		if (!same)
			fprintf(stderr, "\n--- row: %s\n", compiled[i].block);
		CU_ASSERT(same);
	}
}

static void a_small_mtu_allows_a_small_burst(void)
{
	char *small = changed_policy(good_policy, "    device: af_xdp:a\n",
				     "    device: af_xdp:a\n    mtu: 1280\n");
	char *text = limited(small, "{per_connection: {bytes_per_second: 1MiB, burst: 1280B}}");
	struct image_header *image = compile_good(text);

	CU_ASSERT_EQUAL(
		IMAGE_ARRAY(image, struct image_listener, listeners)->rate_limit.bytes.burst, 1280);
	free(image);
	free(text);
	free(small);
}

static void udp_with_limits_on_starts_compiles(void)
{
	char *udp = changed_policy(good_policy, "protocol: tcp", "protocol: udp");
	char *text = limited(udp, "{per_connection: {packets_per_second: 5, action: observe}, "
				  "per_source: {connections_per_second: 5}, listener: "
				  "{connections_per_second: 50}}");

	free(compile_good(text));
	free(text);
	free(udp);
}

static void what_is_absent_is_zero(void)
{
	struct image_header *image = compile_good(good_policy);
	const struct image_listener *l = IMAGE_ARRAY(image, struct image_listener, listeners);
	const struct image_interface *i = IMAGE_ARRAY(image, struct image_interface, interfaces);
	static const struct image_rate_limit none;
	static const struct image_guard unguarded;

	CU_ASSERT_EQUAL(memcmp(&l->rate_limit, &none, sizeof(none)), 0);
	CU_ASSERT_EQUAL(memcmp(&image->guard, &unguarded, sizeof(unguarded)), 0);
	CU_ASSERT_EQUAL(image->sidecar.on_dataplane_loss, ON_LOSS_DROP);
	CU_ASSERT_EQUAL(i[0].shared, 0);
	CU_ASSERT_EQUAL(i[0].limiter, LIMITER_AUTO);
	CU_ASSERT_EQUAL(i[0].snat_port_low, 32768);
	CU_ASSERT_EQUAL(i[0].snat_port_high, 60999);
	free(image);
}

static void a_guard_has_its_defaults(void)
{
	static const struct {
		const char *text;
		struct image_guard guard;
	} rows[] = {
		{"version: 1\nreload: {}\n", {30000, 50000, 0, 20}},
		{"version: 1\nreload: {watch: 1m, minimum_calls: 1, rollback_if: {error_rate: 0, "
		 "p99: 250ms}}\n",
		 {60000, 0, 250000, 1}},
		{"version: 1\nreload: {watch: 1h, minimum_calls: 1000000, rollback_if: "
		 "{error_rate: 100%, p99: 10m}}\n",
		 {MAX_GUARD_WATCH_MS, 1000000, MAX_GUARD_P99_US, MAX_GUARD_CALLS}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = changed_policy(good_policy, "version: 1\n", rows[i].text);
		struct image_header *image = compile_good(text);

		CU_ASSERT_EQUAL(memcmp(&image->guard, &rows[i].guard, sizeof(rows[i].guard)), 0);
		free(image);
		free(text);
	}
}

static void addresses_of_the_kernel_follow_fenders_own(void)
{
	char *text =
		changed_policy(good_policy, "    device: af_xdp:a\n",
			       "    device: af_xdp:a\n    limiter: dpdk\n    kernel_addresses: "
			       "[10.1.0.8, 'fe80::1']\n");
	struct image_header *image = compile_good(text);
	const struct image_address *a = IMAGE_ARRAY(image, struct image_address, addresses);

	CU_ASSERT_EQUAL(IMAGE_ARRAY(image, struct image_interface, interfaces)->limiter,
			LIMITER_DPDK);
	CU_ASSERT_EQUAL_FATAL(image->addresses.count, 6);
	CU_ASSERT_EQUAL(a[1].flags, 0);
	CU_ASSERT_EQUAL(a[2].flags, ADDRESS_KERNEL);
	CU_ASSERT_EQUAL(a[2].prefix, 32);
	CU_ASSERT_EQUAL(a[2].ip.b[15], 8);
	CU_ASSERT_EQUAL(a[3].flags, ADDRESS_KERNEL);
	CU_ASSERT_EQUAL(a[3].prefix, 128);
	CU_ASSERT_EQUAL(a[4].interface, 1);
	CU_ASSERT_EQUAL(image->routes.count, 6); /* no route by an address of the kernel */
	free(image);
	free(text);
}

/* good_policy with its second interface shared and these ports. */
static char *shared_policy(const char *ports, const char *block)
{
	char *ported = changed_policy(good_policy, "    snat: {ports: 40000-41000}\n", ports);
	char *text = changed_policy(ported, "    device: af_xdp:b\n",
				    "    device: af_xdp:b\n    shared: true\n");
	char *whole = changed_policy(text, "    timeouts: {connect: 1s, request: 15s}\n", block);

	free(ported);
	free(text);
	return whole;
}

static void a_shared_interface_stays_clear_of_the_kernels_ports(void)
{
	static const struct {
		const char *ports;
		uint16_t low, high;
		const char *messages;
	} rows[] = {
		{"", 61000, 64999, ""},
		{"    snat: {ports: 61000-65535}\n", 61000, 65535, ""},
		{"    snat: {ports: 20000-32767}\n", 20000, 32767, ""},
		{"    snat: {ports: 20000-32768}\n", 20000, 32768,
		 "p:16:19: warning: interfaces[1].snat.ports: the kernel takes ports from 32768 "
		 "to 60999 for its own connections unless told otherwise; better are "
		 "61000-64999, or ports reserved by net.ipv4.ip_local_reserved_ports\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = shared_policy(rows[i].ports, "");
		struct image_header *image = compile_good(text);
		const struct image_interface *net =
			&IMAGE_ARRAY(image, struct image_interface, interfaces)[1];
		int is_compiled;
		char *messages = messages_of(text, strlen(text), &is_compiled);

		CU_ASSERT_EQUAL(net->shared, 1);
		CU_ASSERT_EQUAL(net->snat_port_low, rows[i].low);
		CU_ASSERT_EQUAL(net->snat_port_high, rows[i].high);
		CU_ASSERT_STRING_EQUAL(messages, rows[i].messages);
		free(messages);
		free(image);
		free(text);
	}
}

static void probes_use_what_is_shared(void)
{
	static const struct {
		const char *block;
		const char *messages; /* "": it compiles */
	} rows[] = {
		{"    health_check: {type: tcp}\n", ""},
		{"    health_check: {type: tcp, source: 10.2.0.1}\n", ""},
		{"    health_check: {type: tcp, source: 10.9.0.1}\n", ""},
		{"    health_check: {type: tcp, source: 10.1.0.1}\n",
		 "p:29:39: error: clusters[0].health_check.source: found Fender's own address "
		 "(line 8), from which the kernel cannot send; expected one that the kernel "
		 "itself holds\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = shared_policy("", rows[i].block);
		int is_compiled;
		char *messages = messages_of(text, strlen(text), &is_compiled);

		CU_ASSERT_STRING_EQUAL(messages, rows[i].messages);
		free(messages);
		free(text);
	}
}

static void probes_without_interfaces_are_refused(void)
{
	static const char text[] = "version: 1\nsidecar: {name: t}\ninterfaces: 1\nclusters:\n"
				   "  - name: a\n    endpoints: [{address: '10.0.0.1:1'}]\n"
				   "    health_check: {type: tcp}\n";
	int is_compiled;
	char *messages = messages_of(text, strlen(text), &is_compiled);

	CU_ASSERT(!is_compiled);
	CU_ASSERT_PTR_NOT_NULL(strstr(messages, "health_check.source: found nothing"));
	free(messages);
}

static void probes_use_an_address_of_the_kernel(void)
{
	char *text = changed_policy(good_policy, "    device: af_xdp:b\n",
				    "    device: af_xdp:b\n    kernel_addresses: 10.2.0.3\n");
	char *probed = changed_policy(text, "    timeouts: {connect: 1s, request: 15s}\n",
				      "    health_check: {type: tcp, source: 10.2.0.3}\n");

	free(compile_good(probed));
	free(probed);
	free(text);
}

static void in_a_pod_traffic_may_pass(void)
{
	char *shared = shared_policy("", "");
	char *text = changed_policy(shared, "  workers: 1\n", "  on_dataplane_loss: pass\n");
	struct image_header *image = compile_good(text);

	CU_ASSERT_EQUAL(image->sidecar.on_dataplane_loss, ON_LOSS_PASS);
	free(image);
	free(text);
	free(shared);
}

static void nobody_enforcing_a_limit_is_said(void)
{
	char *none = changed_policy(good_policy, "    device: af_xdp:a\n",
				    "    device: af_xdp:a\n    limiter: none\n");
	char *text = limited(none, "{listener: {connections_per_second: 5}}");
	int is_compiled;
	char *messages = messages_of(text, strlen(text), &is_compiled);

	CU_ASSERT(is_compiled);
	CU_ASSERT_STRING_EQUAL(messages, "p:23:17: warning: listeners[0].rate_limit: interface app "
					 "has limiter: none, so nobody enforces this\n");
	free(messages);
	free(text);
	free(none);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"refused limits", limits_that_cannot_be_are_refused},
		{"refused sharing", what_cannot_be_shared_is_refused},
		{"limits", limits_are_what_the_file_says},
		{"small mtu", a_small_mtu_allows_a_small_burst},
		{"udp", udp_with_limits_on_starts_compiles},
		{"absent", what_is_absent_is_zero},
		{"guard", a_guard_has_its_defaults},
		{"kernel addresses", addresses_of_the_kernel_follow_fenders_own},
		{"shared ports", a_shared_interface_stays_clear_of_the_kernels_ports},
		{"shared probes", probes_use_what_is_shared},
		{"probes of nothing", probes_without_interfaces_are_refused},
		{"kernel's probes", probes_use_an_address_of_the_kernel},
		{"pass", in_a_pod_traffic_may_pass},
		{"nobody", nobody_enforcing_a_limit_is_said},
		CU_TEST_INFO_NULL,
	};

	return run_suite("limit keys", tests);
}
