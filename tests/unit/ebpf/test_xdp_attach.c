/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose XDP program a device carries, and putting ours in its place: on a veth of a network
 * namespace of its own.
 */
#include "ebpf/attach.h"
#include "ebpf/device.h"
#include "ebpf/loaded.h"
#include "ebpf/maps.h"

#include <CUnit/CUnit.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/limits.h"
#include "ebpf/object.h"
#include "tests/unit/ebpf/limits.h"

static char folder[] = "/tmp/fender-attach-XXXXXX";
static char root[64];
static char pin[96], pin_next[112];
static int device;

/* return XDP_PASS */
static int load(const char *name)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", insns, 2, NULL);
}

static int sockets(void)
{
	return bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xsks_map", 4, 4, 1, NULL);
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &bytes) ? 0 : info.id;
}

static struct attach_found look(void)
{
	struct attach_found found;

	CU_ASSERT_EQUAL(attach_look(root, device, &found), 0);
	return found;
}

/* A program of ours, in place. Its id. */
static uint32_t put(void)
{
	struct attach_program p = {load("fender_xdp"), sockets()};
	uint32_t id = id_of(p.program_fd);

	CU_ASSERT_EQUAL(attach_replace(root, device, &p), 0);
	close(p.program_fd);
	close(p.sockets_fd);
	return id;
}

static int is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void clean(void)
{
	CU_ASSERT_EQUAL(attach_end(root), 0);
	bpf_xdp_detach(device, 0, NULL);
	CU_ASSERT(!is_there(pin) && !is_there(pin_next));
}

static void nothing_is_there_at_first(void)
{
	struct attach_found found = look();

	CU_ASSERT_EQUAL(found.id, 0);
	CU_ASSERT(!found.ours);
	CU_ASSERT_EQUAL(attach_look(root, 4711, &found), 0);
	CU_ASSERT_EQUAL(found.id, 0);
}

static void ours_is_known_and_replaced(void)
{
	uint32_t first = put(), second;

	CU_ASSERT_EQUAL(look().id, first);
	CU_ASSERT(look().ours);
	CU_ASSERT(!look().generic);
	CU_ASSERT(is_there(pin) && !is_there(pin_next));
	second = put();
	CU_ASSERT_NOT_EQUAL(first, second);
	CU_ASSERT_EQUAL(look().id, second);
	CU_ASSERT(look().ours);
	clean();
	CU_ASSERT_EQUAL(look().id, 0);
}

/* The program stays although nobody has a descriptor of it. */
static void without_its_root_ours_is_anybodys(void)
{
	struct attach_found found;
	uint32_t id = put();

	CU_ASSERT_EQUAL(attach_look(NULL, device, &found), 0);
	CU_ASSERT_EQUAL(found.id, id);
	CU_ASSERT(!found.ours);
	CU_ASSERT_STRING_EQUAL(found.name, "fender_xdp");
	clean();
}

static void a_kill_before_or_after_attaching_is_no_matter(void)
{
	uint32_t first = put(), third;
	int second = load("fender_xdp");

	/* killed before: pinned, not attached */
	CU_ASSERT_EQUAL(bpf_obj_pin(second, pin_next), 0);
	CU_ASSERT_EQUAL(look().id, first);
	CU_ASSERT(look().ours);
	/* killed after: attached, the pin not renamed */
	CU_ASSERT_EQUAL(bpf_xdp_attach(device, second, 0, NULL), 0);
	CU_ASSERT_EQUAL(look().id, id_of(second));
	CU_ASSERT(look().ours);
	third = put();
	CU_ASSERT_EQUAL(look().id, third);
	CU_ASSERT(look().ours);
	CU_ASSERT(is_there(pin) && !is_there(pin_next));
	/* and at the end */
	CU_ASSERT_EQUAL(bpf_obj_pin(second, pin_next), 0);
	CU_ASSERT_EQUAL(bpf_xdp_attach(device, second, 0, NULL), 0);
	close(second);
	clean();
	CU_ASSERT_EQUAL(look().id, 0);
}

static void anothers_stays(void)
{
	int other = load("firewall");
	struct attach_program ours = {load("fender_xdp"), sockets()};
	struct attach_found found;

	CU_ASSERT_EQUAL(bpf_xdp_attach(device, other, 0, NULL), 0);
	found = look();
	CU_ASSERT_EQUAL(found.id, id_of(other));
	CU_ASSERT(!found.ours && !found.free);
	CU_ASSERT_STRING_EQUAL(found.name, "firewall");
	CU_ASSERT_EQUAL(attach_replace(root, device, &ours), -EBUSY);
	CU_ASSERT(!is_there(pin) && !is_there(pin_next));
	CU_ASSERT_EQUAL(attach_end(root), 0);
	CU_ASSERT_EQUAL(look().id, id_of(other));
	bpf_xdp_detach(device, 0, NULL);
	close(other);
	close(ours.program_fd);
	close(ours.sockets_fd);
}

/* Somebody put theirs over ours: it is not taken away with our pin. */
static void what_replaced_ours_stays(void)
{
	int other = load("firewall");

	put();
	CU_ASSERT_EQUAL(bpf_xdp_attach(device, other, 0, NULL), 0);
	CU_ASSERT(!look().ours);
	CU_ASSERT_EQUAL(attach_end(root), 0);
	CU_ASSERT_EQUAL(look().id, id_of(other));
	CU_ASSERT(!is_there(pin));
	close(other);
	clean();
}

static void only_devices_without_use_are_left(void)
{
	const int here[] = {4711, device}, elsewhere[] = {4711};
	uint32_t id = put();

	CU_ASSERT_EQUAL(attach_end_others(root, here, 2), 0);
	CU_ASSERT_EQUAL(look().id, id);
	CU_ASSERT(look().ours && is_there(pin));
	CU_ASSERT_EQUAL(attach_end_others(root, elsewhere, 1), 0);
	CU_ASSERT_EQUAL(look().id, 0);
	CU_ASSERT(!is_there(pin));
	clean();
}

static void what_libxdp_left_is_replaced(void)
{
	int left = load("xsk_def_prog");

	CU_ASSERT_EQUAL(bpf_xdp_attach(device, left, 0, NULL), 0);
	close(left);
	CU_ASSERT(look().free && !look().ours);
	put();
	CU_ASSERT(look().ours);
	clean();
}

/* The program itself, on the maps that are pinned. */
static struct attach_program load_whole(void)
{
	struct bpf_object *object = object_open();
	struct attach_program p;
	char why[256] = "";

	CU_ASSERT_EQUAL(object_bind(object, root, NULL), 0);
	CU_ASSERT_EQUAL(object_load(object, why, sizeof(why)), 0);
	p.program_fd = dup(bpf_program__fd(bpf_object__next_program(object, NULL)));
	p.sockets_fd = dup(bpf_object__find_map_fd_by_name(object, "xsks_map"));
	bpf_object__close(object);
	return p;
}

static void close_both(struct attach_program *p)
{
	close(p->program_fd);
	close(p->sockets_fd);
}

static struct limits *make_maps(void)
{
	const struct limits_sizes sizes = {
		.listeners = 4, .connections = 16, .sources = 16, .snat_ports = 16};
	char why[256] = "";

	return limits_open(root, &sizes, why, sizeof(why));
}

static int reuses(void)
{
	struct attach_program p;
	int rc = attach_reuse(root, device, &p);

	if (rc == 0)
		close_both(&p);
	else
		CU_ASSERT(p.program_fd == -1 && p.sockets_fd == -1);
	return rc == 0;
}

static void the_same_build_goes_on_with_what_is_attached(void)
{
	struct limits *maps = make_maps();
	struct attach_program p, again;

	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	CU_ASSERT(!reuses());
	p = load_whole();
	CU_ASSERT_EQUAL(attach_replace(root, device, &p), 0);
	CU_ASSERT_EQUAL(attach_reuse(root, device, &again), 0);
	CU_ASSERT_EQUAL(id_of(again.program_fd), id_of(p.program_fd));
	CU_ASSERT_EQUAL(attach_replace(root, device, &again), 0);
	CU_ASSERT_EQUAL(look().id, id_of(p.program_fd));
	close_both(&again);
	close_both(&p);
	CU_ASSERT(reuses()); /* nobody had a descriptor meanwhile */
	limits_close(maps);
	clean();
	CU_ASSERT_EQUAL(limits_remove(root), 0);
	CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
}

static void other_maps_need_another_program(void)
{
	struct limits *maps = make_maps();
	struct attach_program p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	p = load_whole();
	CU_ASSERT_EQUAL(attach_replace(root, device, &p), 0);
	close_both(&p);
	CU_ASSERT(reuses());
	limits_close(maps);
	limits_remove(root);
	CU_ASSERT(look().ours);
	CU_ASSERT(!reuses());
	maps = make_maps();
	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	CU_ASSERT(!reuses());
	p = load_whole();
	CU_ASSERT_EQUAL(attach_replace(root, device, &p), 0);
	CU_ASSERT(reuses());
	close_both(&p);
	limits_close(maps);
	clean();
	CU_ASSERT_EQUAL(limits_remove(root), 0);
	CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
}

static uint32_t loaded_id(void)
{
	struct attach_program p;
	uint32_t id;

	if (loaded_open(root, &p)) {
		CU_ASSERT(p.program_fd == -1 && p.sockets_fd == -1);
		return 0;
	}
	id = id_of(p.program_fd);
	close_both(&p);
	return id;
}

static void what_the_maps_were_made_with_is_there_for_all_devices(void)
{
	struct limits *maps;
	uint32_t id;

	CU_ASSERT_EQUAL(loaded_id(), 0);
	maps = make_maps();
	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	id = loaded_id();
	CU_ASSERT_NOT_EQUAL(id, 0);
	limits_close(maps);
	CU_ASSERT_EQUAL(loaded_id(), id);
	maps = make_maps(); /* meets all of it */
	CU_ASSERT_EQUAL(loaded_id(), id);
	limits_close(maps);
	CU_ASSERT_EQUAL(limits_remove(root), 0);
	CU_ASSERT(!is_there(root));
	CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
	CU_ASSERT_EQUAL(loaded_id(), 0);
}

static void what_was_loaded_is_of_no_use_to_other_maps(void)
{
	char from[128], to[128];
	struct limits *maps = make_maps();

	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	limits_close(maps);
	/* another map in the place of one */
	snprintf(from, sizeof(from), "%s/sources", root);
	snprintf(to, sizeof(to), "%s/config", root);
	unlink(to);
	CU_ASSERT_EQUAL(rename(from, to), 0);
	CU_ASSERT_EQUAL(loaded_id(), 0);
	limits_remove(root);
	CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
}

static uint32_t device_at(uint32_t slot)
{
	char path[128];
	struct limit_device d = {0};
	int fd;

	snprintf(path, sizeof(path), "%s/devices", root);
	fd = bpf_obj_get(path);
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &slot, &d), 0);
	close(fd);
	return d.if_index ? d.if_index << 8 | d.interface : 0;
}

static void devices_find_slots(void)
{
	const int far = device + LIMIT_DEVICES; /* devices that are not there */
	struct limits *maps;
	uint32_t slot = (uint32_t)device % LIMIT_DEVICES;

	CU_ASSERT_EQUAL(device_set(root, device, 0), -ENOENT);
	maps = make_maps();
	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	CU_ASSERT_EQUAL(device_set(root, device, LIMIT_INTERFACES), -EINVAL);
	CU_ASSERT_EQUAL(device_set(root, 0, 1), -EINVAL);
	put();
	CU_ASSERT_EQUAL(device_set(root, device, 1), 0);
	CU_ASSERT_EQUAL(device_at(slot), (uint32_t)device << 8 | 1);
	CU_ASSERT_EQUAL(device_set(root, device, 2), 0);
	CU_ASSERT_EQUAL(device_at(slot), (uint32_t)device << 8 | 2);
	/* the next one, since this one's device carries our program */
	CU_ASSERT_EQUAL(device_set(root, far, 3), 0);
	CU_ASSERT_EQUAL(device_at(slot + 1), (uint32_t)far << 8 | 3);
	for (int i = 2; i <= LIMIT_DEVICE_TRIES; i++)
		CU_ASSERT_EQUAL(device_set(root, device + i * LIMIT_DEVICES, 4), 0);
	CU_ASSERT_EQUAL(device_at(slot), (uint32_t)device << 8 | 2);
	/* the slots of devices that have gone are taken */
	CU_ASSERT_EQUAL(device_at(slot + 1),
			(uint32_t)(device + LIMIT_DEVICE_TRIES * LIMIT_DEVICES) << 8 | 4);
	limits_close(maps);
	clean();
	CU_ASSERT_EQUAL(limits_remove(root), 0);
	CU_ASSERT_EQUAL(mkdir(root, 0700), 0);
}

static void generic_is_said(void)
{
	int fd = load("firewall");

	CU_ASSERT_EQUAL(bpf_xdp_attach(device, fd, XDP_FLAGS_SKB_MODE, NULL), 0);
	CU_ASSERT(look().generic);
	CU_ASSERT_EQUAL(bpf_xdp_detach(device, XDP_FLAGS_SKB_MODE, NULL), 0);
	close(fd);
}

static void the_end_of_a_device_is_no_error(void)
{
	put();
	CU_ASSERT_EQUAL(system("ip link del fx0"), 0);
	CU_ASSERT_EQUAL(attach_end(root), 0);
	CU_ASSERT(!is_there(pin));
	CU_ASSERT_EQUAL(attach_end("/tmp/no-such-folder/x"), 0);
}

/* 0, 1: not here, -1 */
static int world_make(void)
{
	if (geteuid() != 0 || !mkdtemp(folder))
		return 1;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", folder, "bpf", 0, NULL)) {
		rmdir(folder);
		return 1;
	}
	snprintf(root, sizeof(root), "%s/fender-unit", folder);
	if (mkdir(root, 0700) || system("ip link add fx0 type veth peer name fx1"))
		return -1;
	device = (int)if_nametoindex("fx0");
	snprintf(pin, sizeof(pin), "%s/program-%d", root, device);
	snprintf(pin_next, sizeof(pin_next), "%s-next", pin);
	return 0;
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(nothing_is_there_at_first),
		SUITE_TEST(ours_is_known_and_replaced),
		SUITE_TEST(without_its_root_ours_is_anybodys),
		SUITE_TEST(a_kill_before_or_after_attaching_is_no_matter),
		SUITE_TEST(anothers_stays),
		SUITE_TEST(what_replaced_ours_stays),
		SUITE_TEST(only_devices_without_use_are_left),
		SUITE_TEST(what_libxdp_left_is_replaced),
		SUITE_TEST(the_same_build_goes_on_with_what_is_attached),
		SUITE_TEST(other_maps_need_another_program),
		SUITE_TEST(what_the_maps_were_made_with_is_there_for_all_devices),
		SUITE_TEST(what_was_loaded_is_of_no_use_to_other_maps),
		SUITE_TEST(devices_find_slots),
		SUITE_TEST(generic_is_said),
		SUITE_TEST(the_end_of_a_device_is_no_error),
		CU_TEST_INFO_NULL,
	};
	int rc = world_make();

	if (rc > 0) {
		printf("skipped: network namespaces and BPF need root\n");
		return 0;
	}
	rc = rc ? 1 : suite_run("xdp_attach", tests);
	rmdir(root);
	umount(folder);
	rmdir(folder);
	return rc;
}
