/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/watch.h"

#include <sys/stat.h>

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static uv_loop_t loop;
static struct watch *watch;
static struct image_header *image;
static char folder[64], policy_path[96];
static int changes;

static void on_changed(void *ctx)
{
	changes++;
}

static int policy_changes;

static void on_policy_changed(void *ctx)
{
	policy_changes++;
}

static const struct watch_calls calls = {NULL, on_changed, on_policy_changed};

static const char *path_of(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *address)
{
	FILE *f = fopen(path_of(name), "w");

	if (!f)
		abort();
	fprintf(f, "- {address: '%s:53'}\n", address);
	fclose(f);
}

static void rename_file(const char *from, const char *to)
{
	char source[160];

	snprintf(source, sizeof(source), "%s", path_of(from));
	CU_ASSERT_EQUAL(rename(source, path_of(to)), 0);
}

/* The policy names eps.yaml relative to its own folder. */
static struct image_header *compile_policy(void)
{
	static const char policy[] = FIXTURE_POLICY;
	static const char from[] = "[{address: '10.1.0.13:53'}]";
	const char *at = strstr(policy, from);
	struct diagnostics *d = diagnostics_create(policy_path);
	struct image_header *made;
	char text[sizeof(policy)];

	snprintf(text, sizeof(text), "%.*s{file: eps.yaml}%s", (int)(at - policy), policy,
		 at + strlen(from));
	made = config_compile(text, strlen(text), d);
	diagnostics_print(d, stderr);
	diagnostics_free(d);
	if (!made)
		abort();
	return made;
}

static void run_until_changed(void)
{
	int before = changes;

	while (changes == before)
		uv_run(&loop, UV_RUN_ONCE);
}

static void on_time(uv_timer_t *timer)
{
	*(int *)timer->data = 1;
}

static void run_for(uint64_t ms)
{
	static uv_timer_t timer;
	int over = 0;

	uv_timer_init(&loop, &timer);
	timer.data = &over;
	uv_update_time(&loop); /* writing files took time */
	uv_timer_start(&timer, on_time, ms, 0);
	while (!over)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void begin(void)
{
	uv_loop_init(&loop);
	changes = 0;
	image = compile_policy();
	CU_ASSERT_EQUAL_FATAL(watch_create(&watch, &loop, &calls), 0);
	CU_ASSERT_EQUAL(watch_sync(watch, image, policy_path), 0);
	/* It may have changed since it was compiled. */
	run_until_changed();
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void end(void)
{
	watch_stop(watch);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	watch_free(watch);
	free(image);
}

static void a_file_written_or_renamed_is_seen(void)
{
	write_file("eps.yaml", "10.1.0.13");
	begin();
	write_file("eps.yaml", "10.1.0.114");
	run_until_changed();
	write_file("eps.tmp", "10.1.0.115");
	rename_file("eps.tmp", "eps.yaml");
	run_until_changed();
	unlink(path_of("eps.yaml"));
	run_until_changed();
	write_file("eps.yaml", "10.1.0.116");
	run_until_changed();
	end();
	unlink(path_of("eps.yaml"));
}

/* As the kubelet does it: eps.yaml -> ..data/eps.yaml, ..data -> a folder of each version. */
static void a_swapped_link_is_seen(void)
{
	mkdir(path_of("v1"), 0700);
	mkdir(path_of("v2"), 0700);
	write_file("v1/eps.yaml", "10.1.0.13");
	write_file("v2/eps.yaml", "10.1.0.14");
	CU_ASSERT_EQUAL(symlink("v1", path_of("..data")), 0);
	CU_ASSERT_EQUAL(symlink("..data/eps.yaml", path_of("eps.yaml")), 0);
	begin();
	CU_ASSERT_EQUAL(symlink("v2", path_of("..data_tmp")), 0);
	rename_file("..data_tmp", "..data");
	run_until_changed();
	end();
	unlink(path_of("eps.yaml"));
	unlink(path_of("..data"));
	unlink(path_of("v1/eps.yaml"));
	unlink(path_of("v2/eps.yaml"));
	rmdir(path_of("v1"));
	rmdir(path_of("v2"));
}

static void what_happens_beside_the_file_is_no_change(void)
{
	write_file("eps.yaml", "10.1.0.13");
	begin();
	changes = 0;
	write_file("other", "10.1.0.14");
	CU_ASSERT_EQUAL(watch_sync(watch, image, policy_path), 0);
	run_for(3 * WATCH_DEBOUNCE_MS);
	CU_ASSERT_EQUAL(changes, 0);
	end();
	unlink(path_of("other"));
	unlink(path_of("eps.yaml"));
}

static void a_burst_of_writes_is_one_change(void)
{
	write_file("eps.yaml", "10.1.0.13");
	begin();
	changes = 0;
	for (int i = 0; i < 20; i++)
		write_file("eps.yaml", i % 2 ? "10.1.0.13" : "10.1.0.114");
	run_until_changed();
	run_for(3 * WATCH_DEBOUNCE_MS);
	CU_ASSERT_EQUAL(changes, 1);
	end();
	unlink(path_of("eps.yaml"));
}

static void a_policy_without_files_watches_nothing(void)
{
	struct image_header *none = fixture_compile(FIXTURE_POLICY);

	write_file("eps.yaml", "10.1.0.13");
	begin();
	changes = 0;
	CU_ASSERT_EQUAL(watch_sync(watch, none, policy_path), 0);
	write_file("eps.yaml", "10.1.0.114");
	run_for(2 * WATCH_DEBOUNCE_MS);
	CU_ASSERT_EQUAL(changes, 0);
	end();
	free(none);
	unlink(path_of("eps.yaml"));
}

static void run_until_policy_changed(void)
{
	int before = policy_changes;

	while (policy_changes == before)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Its content is not looked at here. */
static void the_policy_file_is_watched_too(void)
{
	write_file("eps.yaml", "10.1.0.13");
	write_file("policy.yaml", "a");
	policy_changes = 0;
	begin();
	CU_ASSERT_EQUAL(policy_changes, 1);
	changes = 0;
	write_file("policy.tmp", "b");
	rename_file("policy.tmp", "policy.yaml");
	run_until_policy_changed();
	write_file("policy.yaml", "in place");
	run_until_policy_changed();
	mkdir(path_of("v1"), 0700);
	mkdir(path_of("v2"), 0700);
	write_file("v1/policy.yaml", "c");
	write_file("v2/policy.yaml", "d");
	CU_ASSERT_EQUAL(symlink("v1", path_of("..data")), 0);
	unlink(path_of("policy.yaml"));
	CU_ASSERT_EQUAL(symlink("..data/policy.yaml", path_of("policy.yaml")), 0);
	run_until_policy_changed();
	CU_ASSERT_EQUAL(symlink("v2", path_of("..data_tmp")), 0);
	rename_file("..data_tmp", "..data");
	run_until_policy_changed();
	CU_ASSERT_EQUAL(changes, 0);
	end();
	unlink(path_of("..data"));
	unlink(path_of("v1/policy.yaml"));
	unlink(path_of("v2/policy.yaml"));
	rmdir(path_of("v1"));
	rmdir(path_of("v2"));
	unlink(path_of("policy.yaml"));
	unlink(path_of("eps.yaml"));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_file_written_or_renamed_is_seen),
	SUITE_TEST(a_swapped_link_is_seen),
	SUITE_TEST(what_happens_beside_the_file_is_no_change),
	SUITE_TEST(a_burst_of_writes_is_one_change),
	SUITE_TEST(a_policy_without_files_watches_nothing),
	SUITE_TEST(the_policy_file_is_watched_too),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	int rc;

	snprintf(folder, sizeof(folder), "/tmp/fender-unit-watch-%d", (int)getpid());
	snprintf(policy_path, sizeof(policy_path), "%s/policy.yaml", folder);
	if (mkdir(folder, 0700) != 0)
		return 1;
	rc = suite_run("watch", tests);
	rmdir(folder);
	return rc;
}
