# SPDX-License-Identifier: Apache-2.0
# Fender. `make help` lists the targets. Variants (sanitizers, coverage) build the same
# rules into build/<variant>.
VARIANT ?= release
B := build/$(VARIANT)

CC := gcc
CFLAGS_release := -O3 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov := -O0 -g --coverage
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
DPDK_CFLAGS = -isystem /usr/include/dpdk -isystem /usr/include/$(shell $(CC) -dumpmachine)/dpdk \
	-include rte_config.h -DALLOW_EXPERIMENTAL_API
CP_CFLAGS = $(shell pkg-config --cflags libuv jansson libmicrohttpd libcurl)

# Debian's shared DPDK loads every driver; only these are linked, statically.
DPDK_DRIVERS := net_af_xdp net_null net_ring net_pcap net_tap net_memif bus_vdev bus_pci mempool_ring
DPDK_LIBS := ethdev pci mbuf mempool ring net meter hash rcu timer telemetry kvargs eal
DPDK_LINK = -Wl,--whole-archive $(DPDK_DRIVERS:%=-l:librte_%.a) -Wl,--no-whole-archive \
	-Wl,--start-group $(DPDK_LIBS:%=-l:librte_%.a) -Wl,--end-group \
	-lxdp -lbpf -lpcap -lnuma -lelf -lz -lpthread -ldl -lm
CP_LINK = $(shell pkg-config --libs libuv jansson libmicrohttpd libcurl)

# Pure logic, by folder: no DPDK, no I/O. What every unit test may link.
SHM_SRC := $(wildcard shm/*.c)
CONFIG_SRC := $(wildcard config/*.c)
PURE_SRC := $(wildcard dataplane/conn/*.c dataplane/lb/*.c dataplane/net/*.c dataplane/pkt/*.c)
DATAPLANE_SRC := $(wildcard dataplane/*.c)
CONTROLPLANE_SRC := $(filter-out controlplane/main.c,$(wildcard controlplane/*.c controlplane/ctl/*.c))
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
SHM_OBJ := $(call obj,$(SHM_SRC))
CONFIG_OBJ := $(call obj,$(CONFIG_SRC))
PURE_OBJ := $(call obj,$(PURE_SRC))
DATAPLANE_OBJ := $(call obj,$(DATAPLANE_SRC))
CONTROLPLANE_OBJ := $(call obj,$(CONTROLPLANE_SRC))
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))

.PHONY: all
all: $(B)/fender $(B)/fender-dataplane

$(B)/fender: $(call obj,controlplane/main.c) $(CONTROLPLANE_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(CP_LINK) -lyaml -lpthread -lm

$(B)/fender-dataplane: $(DATAPLANE_OBJ) $(PURE_OBJ) $(SHM_OBJ)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(DPDK_LINK)

$(call obj,$(DATAPLANE_SRC)): FLAGS = $(DPDK_CFLAGS)
$(call obj,controlplane/main.c) $(CONTROLPLANE_OBJ): FLAGS = $(CP_CFLAGS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(FLAGS) -c -o $@ $<

# Unit tests: one binary a module, linked with the pure code only.
$(B)/unit/%: tests/unit/%.c $(PURE_OBJ) $(CONFIG_OBJ) $(SHM_OBJ)
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(LDFLAGS_$(VARIANT)) -o $@ $< $(PURE_OBJ) $(CONFIG_OBJ) $(SHM_OBJ) \
		-lcunit -lyaml -lpthread -lm

.PHONY: unit
unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do echo "== $$t"; $$t; done

.PHONY: clean
clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
