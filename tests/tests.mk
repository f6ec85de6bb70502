# Unit tests and fuzz targets, built with sanitizers beside the ordinary build.

ASAN_BUILD := build/asan
ALL_LIBRARIES := images/worker images/fetch network/resolver $(rooms) cli images network runtime/oci runtime bundle cgroups/systemd cgroups base
ALL_LIBS := $(davitd_libs) -larchive -lisal -lzstd -lcrypto -lcurl -lcmocka -pthread

unit_tests := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/obj/tests/unit/host.o $(call inputs,$(ALL_LIBRARIES))
	$(call say,LINK $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call inputs,$(ALL_LIBRARIES)) $(ALL_LIBS)

.PHONY: unit-tests
unit-tests: $(unit_tests)

test-unit:
	@tools/install-packages build test
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) SANITIZE=address,undefined BUILD=$(ASAN_BUILD) \
	    unit-tests
	@tests/run unit

test-integration: all
	@tools/install-packages test
	@tests/run integration

test-harness: all
	@tools/install-packages test
	@tests/integration/prepare $(BUILD)
	@tests/run harness

# The integration tests with a build that looks for undefined behaviour and memory errors. Files by hand:
# DAVIT_BUILD=$PWD/build/asan bats FILE
test-asan: all
	@tools/install-packages test
	@tests/integration/prepare $(BUILD)
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) SANITIZE=address,undefined BUILD=build/asan all
	ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 DAVIT_BUILD=$(CURDIR)/build/asan bats --tap tests/integration/*.bats tests/integration/attacks/*.bats

test-conformance: all $(BUILD)/conformance/probe $(BUILD)/conformance/report
	@tools/install-packages test
	@tests/run conformance

test-vm: all
	@tools/install-packages test package
	@tests/run vm

# The bare-kernel floor that bench compares with.
$(BUILD)/bench/%: tests/bench/%.c
	$(call say,CC   $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARNINGS) -static -o $@ $<

# What hostile programs try, for the conformance tests.
$(BUILD)/conformance/%: tests/conformance/%.c
	$(call say,CC   $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARNINGS) -static -o $@ $<

# libFuzzer targets, clang only.
fuzz_targets := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BUILD := build/fuzz-objects

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(call inputs,$(ALL_LIBRARIES))
	$(call say,LINK $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(call inputs,$(ALL_LIBRARIES)) $(ALL_LIBS)

.PHONY: fuzz-targets
fuzz-targets: $(fuzz_targets)

test-fuzz:
	@tools/install-packages build test
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) CC=clang BUILD=$(FUZZ_BUILD) \
	    SANITIZE=fuzzer-no-link,address,undefined fuzz-targets
	@tests/run fuzz
