/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program's maps; maps.h says what is in them. All but xsks_map, which belongs to the
 * loaded program, are pinned by the control plane (ebpf/object.h). Sizes here only let the object
 * load by itself: the control plane sets its own.
 */
#ifndef FENDER_EBPF_XDP_MAPS_H
#define FENDER_EBPF_XDP_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/maps.h"

enum { DEFAULT_LISTENER_ROWS = 16, DEFAULT_ENTRIES = 1024 };

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, LIMIT_INTERFACES *LIMIT_MAX_QUEUES); /* a row's queues side by side */
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct limit_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_INTERFACES);
	__type(key, __u32);
	__type(value, struct limit_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_DEVICES);
	__type(key, __u32);
	__type(value, struct limit_device);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, struct limit_address_key);
	__type(value, struct limit_address);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, struct limit_listener_key);
	__type(value, __u32);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * DEFAULT_LISTENER_ROWS);
	__type(key, __u32);
	__type(value, struct limit_rules);
} listener_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_LISTENER_ROWS);
	__type(key, __u32);
	__type(value, struct limit_listener);
} listener_words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, struct limit_key4);
	__type(value, struct limit_flow);
} connections4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, struct limit_key6);
	__type(value, struct limit_flow);
} connections6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, struct limit_source_key);
	__type(value, struct limit_source);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} snat_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_ENTRIES);
	__type(key, __u32);
	__type(value, struct limit_flow);
} snat_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LIMIT_INTERFACES + DEFAULT_LISTENER_ROWS);
	__type(key, __u32);
	__type(value, struct limit_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct limit_times);
} verdict_times SEC(".maps");

#endif
