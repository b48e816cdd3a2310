# SPDX-License-Identifier: Apache-2.0
# Fender. `make help` lists the targets. Variants (sanitizers, coverage, fuzzing) build the
# same rules into build/<variant>.
VARIANT ?= release
B := build/$(VARIANT)
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
PYTHON := /usr/bin/python3
# End-to-end tests mostly wait: more at once than there are CPUs.
TEST_JOBS ?= 3

CC_fuzz := clang
CC := $(or $(CC_$(VARIANT)),gcc)
RELEASE := -O3 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
# The worker's passes stand in files of their own: link-time optimisation inlines across them
# (10 % fewer ns a packet in bench_worker). Tests link the same objects without, which is quick.
CFLAGS_release := $(RELEASE) -flto=auto -ffat-lto-objects
CFLAGS_werror := $(RELEASE) -Werror
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -Wno-tsan -fno-omit-frame-pointer
CFLAGS_cov := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
LDFLAGS_release := -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_cov := --coverage

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-unused-parameter
ifdef WERROR
WARN += -Werror
endif
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. -march=corei7 -fno-strict-aliasing -MMD -MP \
	$(WARN) $(CFLAGS_$(VARIANT)) $(EXTRA_CFLAGS)
DPDK_CFLAGS = -isystem /usr/include/dpdk -isystem /usr/include/$(shell gcc -dumpmachine)/dpdk \
	-include rte_config.h -DALLOW_EXPERIMENTAL_API
CP_CFLAGS = $(shell pkg-config --cflags libuv jansson libmicrohttpd libcurl libcares libmnl)
# eBPF programs: compare-and-swap needs v3; DPDK's librte_bpf knows no more than v2.
BPF_CFLAGS = -std=gnu11 -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wshadow \
	-Wno-unused-parameter -I. -I/usr/include/$(shell gcc -dumpmachine) -MMD -MP

# Debian's shared DPDK loads every driver: 24 MB resident. Only these are linked, statically:
# what af_xdp: and vdev: name, and the drivers of common NICs for pci: (1.4 MB resident in all).
DPDK_VDEV_DRIVERS := net_af_xdp net_null net_ring net_pcap net_tap net_memif bus_vdev mempool_ring
DPDK_NIC_DRIVERS := bus_pci net_virtio net_e1000 net_ixgbe net_i40e net_ice net_iavf net_ena \
	net_vmxnet3
DPDK_DRIVERS := $(DPDK_VDEV_DRIVERS) $(DPDK_NIC_DRIVERS)
DPDK_LIBS := ethdev pci mbuf mempool ring net meter hash rcu timer telemetry kvargs eal \
	gso ip_frag security cryptodev common_iavf bpf
# What the AF_XDP driver does about programs, dataplane/xdp_program.c does; cpus.c, tsc.c: the EAL's
# slow questions.
DPDK_WRAPPED := xsk_socket__create bpf_xdp_detach get_tsc_freq eal_cpu_detected eal_cpu_socket_id
DPDK_LINK = -Wl,--whole-archive $(DPDK_DRIVERS:%=-l:librte_%.a) -Wl,--no-whole-archive \
	-Wl,--start-group $(DPDK_LIBS:%=-l:librte_%.a) -Wl,--end-group \
	$(DPDK_WRAPPED:%=-Wl,--wrap=%) -lxdp -lbpf -lpcap -lnuma -lelf -lz -lbsd -lpthread -ldl -lm
BPF_LINK = -lbpf -lelf -lz
CP_LINK = $(shell pkg-config --libs libuv jansson libmicrohttpd libcurl libcares libmnl ncursesw) $(BPF_LINK)

# Pure logic, by folder: no DPDK, no I/O. What every unit test may link.
SHM_SRC := $(wildcard shm/*.c)
CONFIG_SRC := $(wildcard config/*.c)
# What decides about calls; `fender simulate` runs the very same code.
POLICY_SRC := $(wildcard dataplane/policy/*.c dataplane/lb/*.c)
SIMULATE_SRC := $(wildcard dataplane/simulate/*.c)
# And what tells of a decision without taking it: `fender explain`.
EXPLAIN_SRC := $(wildcard dataplane/explain/*.c)
PURE_SRC := $(POLICY_SRC) $(SIMULATE_SRC) $(EXPLAIN_SRC) \
	$(wildcard dataplane/conn/*.c dataplane/net/*.c dataplane/pkt/*.c)
DATAPLANE_SRC := $(wildcard dataplane/*.c)
CONTROLPLANE_SRC := $(filter-out controlplane/main.c,$(wildcard controlplane/*.c controlplane/ctl/*.c))
EBPF_SRC := $(wildcard ebpf/*.c)
BPF_SRC := $(filter %.bpf.c,$(EBPF_SRC))
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_MAIN := $(filter tests/bench/bench_%,$(BENCH_SRC))
TOOL_SRC := $(wildcard tests/tools/*.c)
OUR_C := $(SHM_SRC) $(CONFIG_SRC) $(PURE_SRC) $(DATAPLANE_SRC) $(CONTROLPLANE_SRC) \
	$(filter-out $(BPF_SRC),$(EBPF_SRC)) \
	$(wildcard controlplane/main.c) $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(TOOL_SRC)
OUR_FILES = $(shell find shm config controlplane dataplane ebpf tests -name '*.[ch]')

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
SHM_OBJ := $(call obj,$(SHM_SRC))
CONFIG_OBJ := $(call obj,$(CONFIG_SRC))
PURE_OBJ := $(call obj,$(PURE_SRC))
SIMULATOR_OBJ := $(call obj,$(POLICY_SRC) $(SIMULATE_SRC) $(EXPLAIN_SRC) dataplane/net/route.c \
	dataplane/conn/shard.c)
DATAPLANE_OBJ := $(call obj,$(DATAPLANE_SRC))
CONTROLPLANE_OBJ := $(call obj,$(CONTROLPLANE_SRC))
EBPF_OBJ := $(call obj,$(filter-out $(BPF_SRC),$(EBPF_SRC)))
BPF_OBJ := $(BPF_SRC:%.bpf.c=$(B)/%.bpf.o)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_MAIN))
TOOL_BIN := $(patsubst tests/tools/%.c,$(B)/tools/%,$(TOOL_SRC))

# Two goals that each run whole builds must not do it side by side.
ifeq ($(MAKELEVEL),0)
ifneq ($(filter run test check tsan fuzz cov bench install clean fmt docs,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
endif
# `make V=1` shows the whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

SUBMAKE = $(MAKE) --no-print-directory -j$(JOBS)

.PHONY: all
all: $(B)/fender $(B)/fender-dataplane ## build the two programs

$(B)/fender: $(call obj,controlplane/main.c) $(CONTROLPLANE_OBJ) $(SIMULATOR_OBJ) $(EBPF_OBJ) \
		$(CONFIG_OBJ) $(SHM_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(CP_LINK) -lyaml -lpthread -lm

$(B)/fender-dataplane: $(DATAPLANE_OBJ) $(PURE_OBJ) $(EBPF_OBJ) $(SHM_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(DPDK_LINK)

DPDK_OBJ := $(DATAPLANE_OBJ) $(call obj,$(BENCH_SRC))
CP_OBJ := $(call obj,controlplane/main.c) $(CONTROLPLANE_OBJ) \
	$(call obj,$(wildcard tests/unit/controlplane/*.c))
$(DPDK_OBJ): FLAGS = $(DPDK_CFLAGS)
$(CP_OBJ): FLAGS = $(CP_CFLAGS)

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(BASE_CFLAGS) $(FLAGS) -c -o $@ $<

$(B)/ebpf/%_dpdk.bpf.o: BPF_CFLAGS += -mcpu=v2
$(B)/ebpf/%.bpf.o: ebpf/%.bpf.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)clang $(BPF_CFLAGS) -c -o $@ $<

# The program as bytes in a C header: what ebpf/object.c opens.
$(B)/ebpf/%.skel.h: $(B)/ebpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)bpftool gen skeleton $< name $(*F)_bpf >$@.new && mv $@.new $@
$(call obj,ebpf/object.c): $(B)/ebpf/fender.skel.h
$(call obj,ebpf/object.c): FLAGS = -isystem $(B)/ebpf
# GET /schema: .incbin is none of -MMD's.
$(call obj,controlplane/api_status.c): docs/admin-api.schema.json

# The worker's limiter: librte_bpf takes instructions, so these are all that is carried.
$(B)/ebpf/%_dpdk.insns.h: $(B)/ebpf/%_dpdk.bpf.o
	$(call say,INSNS,$@)
	$(Q)objcopy -I elf64-little -O binary --only-section=dpdk $< $@.bin
	$(Q)od -An -v -tx8 -w8 $@.bin | sed 's/ *\(.*\)/0x\1,/' >$@.new && mv $@.new $@
$(call obj,dataplane/limiter_program.c): $(B)/ebpf/worker_limit_dpdk.insns.h
$(call obj,dataplane/limiter_program.c): FLAGS += -isystem $(B)/ebpf

# Rewritten when compiler or flags change, so that everything is built anew.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(BASE_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(BASE_CFLAGS)' >$@
.PHONY: FORCE
FORCE:

# Unit tests: one binary a module, linked with the pure code; the control plane's with its own.
$(B)/unit/controlplane/%: $(B)/obj/tests/unit/controlplane/%.o $(CONTROLPLANE_OBJ) \
		$(SIMULATOR_OBJ) $(EBPF_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -fno-lto $(LDFLAGS_$(VARIANT)) -o $@ $^ $(CP_LINK) -lcunit -lyaml -lpthread -lm

# Modules of the dataplane outside its pure folders that need no DPDK.
$(foreach m,idle adopted restart judged,$(eval $(B)/unit/dataplane/test_$m: $(call obj,dataplane/$m.c)))
$(B)/unit/dataplane/test_neighbour_kernel: $(call obj,dataplane/kernel_neighbours.c)
$(B)/unit/dataplane/test_adopted: $(call obj,dataplane/limiter_rules.c)
$(B)/unit/dataplane/test_upkeep: $(call obj,dataplane/upkeep.c dataplane/judged.c dataplane/adopted.c \
	dataplane/limiter_rules.c)

# The limiter: its arithmetic, the program by BPF_PROG_TEST_RUN, and the maps' writer.
WORKER_LIMIT_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/ebpf/test_worker_limit*.c))
$(WORKER_LIMIT_TESTS): $(call obj,$(wildcard dataplane/limiter*.c))
$(WORKER_LIMIT_TESTS): LINK = -lrte_bpf -lrte_eal
LIMITS_OBJ := $(call obj,$(patsubst %,controlplane/limits%.c,_apply _plan _read) controlplane/limits.c) \
	$(EBPF_OBJ) \
	$(call obj,$(filter-out tests/unit/ebpf/test_%,$(wildcard tests/unit/ebpf/*.c)))
$(B)/unit/ebpf/test_snat_owner: $(call obj,dataplane/snat_owner.c)
# Named as targets: else make prefers unit/% below when these do not exist yet.
$(LIMITS_OBJ):
$(B)/unit/ebpf/%: $(B)/obj/tests/unit/ebpf/%.o $(LIMITS_OBJ) $(PURE_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -fno-lto $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LINK) $(BPF_LINK) -lcunit -lpthread -lm

# Its three builds side by side: native, the kernel's, librte_bpf's.
LIMIT_BUILDS_FLAGS = $(DPDK_CFLAGS) -DLIMIT_TEST_DIR='"$(abspath $(B))/ebpf"'
$(call obj,tests/unit/ebpf/test_limit_builds.c): FLAGS += $(LIMIT_BUILDS_FLAGS)
$(B)/unit/ebpf/test_limit_builds: | $(B)/ebpf/limit_test.bpf.o $(B)/ebpf/limit_test_dpdk.bpf.o
$(B)/unit/ebpf/test_limit_builds: LINK = -lrte_bpf -lrte_eal

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(PURE_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -fno-lto $(LDFLAGS_$(VARIANT)) -o $@ $^ -lcunit -lyaml -lpthread -lm

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests of this VARIANT
	@sh tests/unit/run.sh $(UNIT_BIN)

$(B)/tools/%: $(B)/obj/tests/tools/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ -lpthread -lm

.PHONY: tools
tools: $(TOOL_BIN)
	@:

# Goals made of others. They start make again, after the packages are there.
.PHONY: deps
deps:
	@deploy/install-deps.sh

.PHONY: run
run: deps ## the demonstration: a small world, real traffic, a report (root)
	@$(SUBMAKE) all tools
	@B='$(abspath $(B))' deploy/demo/run.sh

# Tests that need the machine for themselves come last, one by one. 5: none is asked for.
E2E = FENDER_BUILD='$(abspath $(B))' $(PYTHON) -m pytest -p no:cacheprovider
.PHONY: test
test: deps ## unit tests and end-to-end tests (root; PYTEST_ARGS= for pytest)
	@$(SUBMAKE) all tools unit
	@if [ "$$(id -u)" = 0 ]; then \
		$(E2E) -n $(TEST_JOBS) $(PYTEST_ARGS) -m 'not alone' tests/e2e || [ $$? = 5 ] || exit 1; \
		$(E2E) $(PYTEST_ARGS) -m alone tests/e2e || [ $$? = 5 ]; \
	else \
		echo 'end-to-end tests skipped: they make network namespaces and AF_XDP sockets, run as root'; \
	fi

.PHONY: chaos
chaos: deps ## faults by the hundred under 10,000 connections, 10 minutes (root; CHAOS_CONNECTIONS=)
	@$(SUBMAKE) all tools
	@FENDER_CHAOS=full FENDER_CHAOS_CONNECTIONS=$(or $(CHAOS_CONNECTIONS),10000) \
		FENDER_BUILD='$(abspath $(B))' \
		$(PYTHON) -m pytest -p no:cacheprovider -s $(PYTEST_ARGS) tests/e2e/test_chaos.py

.PHONY: check
check: lint ## -Werror, format, clang-tidy, cppcheck, dependencies, sanitizers, fuzz seeds, models
	@$(SUBMAKE) VARIANT=werror all tools build-bench build-unit
	@$(SUBMAKE) VARIANT=werror policies
	@$(SUBMAKE) VARIANT=werror tidy
	@$(SUBMAKE) cppcheck
	@$(SUBMAKE) VARIANT=asan unit
	@$(SUBMAKE) VARIANT=fuzz fuzz-seeds
	@tests/models/run.sh
	@echo 'check: all passed'

.PHONY: lint
lint: ## formatting and the direction of dependencies: seconds
	@clang-format --dry-run -Werror $(OUR_FILES)
	@tests/lint/deps.sh
	@tests/lint/files.sh

.PHONY: fmt
fmt: ## format every C file
	clang-format -i $(OUR_FILES)

# One stamp a file, newer than its object: only what changed is looked at again.
TIDY := $(OUR_C:%.c=$(B)/tidy/%.ok)
.PHONY: tidy
tidy: $(TIDY)
TIDY_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -march=corei7
$(B)/tidy/dataplane/%.ok: TIDY_CFLAGS += $(DPDK_CFLAGS)
$(B)/tidy/tests/bench/%.ok: TIDY_CFLAGS += $(DPDK_CFLAGS) -isystem $(B)/ebpf
$(B)/tidy/controlplane/%.ok: TIDY_CFLAGS += $(CP_CFLAGS)
$(B)/tidy/ebpf/%.ok: TIDY_CFLAGS += -isystem $(B)/ebpf
$(B)/tidy/dataplane/limiter_program.ok: TIDY_CFLAGS += -isystem $(B)/ebpf
$(B)/tidy/tests/unit/ebpf/test_limit_builds.ok: TIDY_CFLAGS += $(LIMIT_BUILDS_FLAGS)
$(B)/tidy/%.ok: %.c $(B)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@echo 'clang-tidy $<'
	@clang-tidy --quiet $< -- $(TIDY_CFLAGS) 2>$(@:.ok=.log) || { cat $(@:.ok=.log); false; }
	@touch $@

.PHONY: cppcheck
cppcheck:
	@mkdir -p build/cppcheck
	@echo cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr \
		--suppressions-list=tests/lint/cppcheck.txt --error-exitcode=1 -I. -j $(JOBS) \
		--cppcheck-build-dir=build/cppcheck $(OUR_C)

.PHONY: tsan
tsan: ## unit tests under ThreadSanitizer
	@$(SUBMAKE) VARIANT=tsan unit

.PHONY: build-unit build-bench
build-unit: $(UNIT_BIN)
build-bench: $(BENCH_BIN)

# Fuzzing: clang's libFuzzer; findings are kept in build/fuzz/corpus, the seeds are committed.
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(PURE_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -fsanitize=fuzzer,address,undefined -o $@ $^ -lyaml -lpthread -lm

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_SECONDS (30)
	@$(SUBMAKE) VARIANT=fuzz $(FUZZ_SRC:tests/fuzz/fuzz_%.c=fuzz-run-%)

.PHONY: fuzz-seeds
fuzz-seeds: $(FUZZ_SRC:tests/fuzz/fuzz_%.c=fuzz-seeds-%)
fuzz-seeds-%: $(B)/fuzz/fuzz_%
	@sh tests/fuzz/run.sh $< 0
fuzz-run-%: $(B)/fuzz/fuzz_%
	@sh tests/fuzz/run.sh $< $(FUZZ_SECONDS)

.PHONY: cov
cov: ## line coverage of the unit tests: summary, build/cov/html
	@find build/cov -name '*.gcda' -delete 2>/dev/null || true
	@$(SUBMAKE) VARIANT=cov unit
	@lcov --quiet --capture --directory build/cov --base-directory . --no-external \
		--output-file build/cov/all.info 2>build/cov/lcov.log || { cat build/cov/lcov.log; false; }
	@lcov --quiet --remove build/cov/all.info '*/tests/*' --output-file build/cov/fender.info \
		2>>build/cov/lcov.log
	@lcov --list build/cov/fender.info 2>>build/cov/lcov.log
	@genhtml --quiet --output-directory build/cov/html build/cov/fender.info 2>>build/cov/lcov.log

# The bench links what the dataplane is made of, but for its main().
BENCH_OBJ := $(call obj,$(filter-out $(BENCH_MAIN),$(BENCH_SRC))) \
	$(filter-out %/dataplane/main.o,$(DATAPLANE_OBJ)) $(PURE_OBJ) $(EBPF_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(BENCH_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(DPDK_LINK) -lyaml

# The limiters': with the maps' writer and librte_bpf, without the dataplane.
LIMITS_BENCH := $(filter $(B)/bench/bench_limits%,$(BENCH_BIN))
$(call obj,$(filter tests/bench/bench_limits%,$(BENCH_SRC))): $(B)/ebpf/limit_bench.skel.h
$(call obj,$(filter tests/bench/bench_limits%,$(BENCH_SRC))): FLAGS += -isystem $(B)/ebpf
$(LIMITS_BENCH): $(B)/bench/%: $(B)/obj/tests/bench/%.o $(LIMITS_OBJ) \
		$(call obj,$(wildcard dataplane/limiter*.c)) $(PURE_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -fno-lto $(LDFLAGS_$(VARIANT)) -o $@ $^ -lrte_bpf -lrte_eal $(BPF_LINK) -lpthread -lm

.PHONY: bench
bench: ## measure against testpmd, HAProxy and nginx; table and build/bench.json (root, ROUNDS=)
	@deploy/install-deps.sh
	@$(SUBMAKE) all build-bench
	@FENDER_BUILD='$(abspath $(B))' $(PYTHON) tests/bench/bench.py --json build/bench.json \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH_ARGS)

.PHONY: docs
docs: ## regenerate the policy reference, its JSON Schema and the sample
	@$(SUBMAKE) all
	$(B)/fender schema --markdown >docs/policy.md
	$(B)/fender schema --json >docs/policy.schema.json
	$(B)/fender schema --sample >deploy/sample.yaml

# The policies that are shown to users, the one in the README among them, are policies.
.PHONY: policies
policies: $(B)/fender
	@awk '/^```yaml/ {on = 1; next} /^```/ {on = 0} on' README.md >$(B)/README.yaml
	@for f in deploy/sample.yaml deploy/demo/policy.yaml $(B)/README.yaml \
		deploy/scenarios/*.policy.yaml; do \
		$(B)/fender check $$f >/dev/null || exit 1; \
	done
	@for f in outage overload rollout; do \
		$(B)/fender simulate deploy/scenarios/$$f.policy.yaml deploy/scenarios/$$f.yaml \
			>/dev/null || exit 1; \
	done

.PHONY: install
install: ## into DESTDIR with PREFIX (/usr/local)
	@$(SUBMAKE) all
	install -D -m 0755 $(B)/fender $(DESTDIR)$(PREFIX)/bin/fender
	install -D -m 0755 $(B)/fender-dataplane $(DESTDIR)$(PREFIX)/bin/fender-dataplane
	install -D -m 0644 README.md $(DESTDIR)$(PREFIX)/share/doc/fender/README.md
	install -D -m 0644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/fender/LICENSE
	install -D -m 0644 docs/policy.md $(DESTDIR)$(PREFIX)/share/doc/fender/policy.md
	@for command in '' $$($(B)/fender help --names); do \
		page=$(DESTDIR)$(PREFIX)/share/man/man1/fender$${command:+-$$command}.1; \
		mkdir -p $${page%/*} && $(B)/fender help --man $$command >$$page || exit 1; \
	done
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/fender completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/fender
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' deploy/systemd/fender@.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/fender@.service

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
