# davit: build, test, install.  `make help` lists the targets.

PREFIX      ?= /usr/local
SBINDIR     ?= $(PREFIX)/sbin
BINDIR      ?= $(PREFIX)/bin
LIBEXECDIR  ?= $(PREFIX)/libexec/davit
MANDIR      ?= $(PREFIX)/share/man
DATADIR     ?= $(PREFIX)/share/davit
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR     ?= $(PREFIX)/lib/systemd/system
APPARMORDIR ?= /etc/apparmor.d
DESTDIR     ?=

VERSION     := $(shell cat VERSION)
CC          ?= gcc
BUILD       ?= build
SANITIZE    ?=

V ?= 0
ifeq ($(V),0)
Q := @
say = @echo "  $(1)"
else
Q :=
say = @:
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wcast-qual -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
OPTIMIZE ?= -O2 -D_FORTIFY_SOURCE=2
ifneq ($(SANITIZE),)
OPTIMIZE := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. -g $(OPTIMIZE) $(WARNINGS) $(HARDENING)
override LDFLAGS += -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(SANITIZE),)
override LDFLAGS += -fsanitize=$(SANITIZE)
endif

# What is built from what.
# A folder is a library; a program is its main file and the libraries that its line names.
# The rooms of davitd: each may use some of those behind it (tools/check-rooms).
rooms := supervisor $(addprefix supervisor/,api images containers networks volumes definition store spawn monitor events http)
FOLDERS := base cgroups cgroups/systemd bundle runtime runtime/oci images images/worker images/fetch network network/resolver network/cni $(rooms) cli
mains := runtime/oci/davit-oci.c runtime/oci/self_start.c cgroups/systemd/davit-scope.c images/davit-image.c images/fetch/davit-fetch.c network/resolver/davit-resolver.c network/cni/davit-cni.c supervisor/davitd.c cli/davit.c
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
library = $(BUILD)/obj/$(subst /,-,$(1)).a

PROGRAMS := $(addprefix $(BUILD)/,davitd davit davit-oci davit-image davit-fetch davit-resolver davit-cni davit-scope)

davit-oci_uses := runtime/oci/davit-oci.c runtime/oci/self_start.c runtime/oci runtime bundle cgroups/systemd cgroups base
davitd_uses := supervisor/davitd.c $(rooms) images network runtime bundle cgroups/systemd cgroups base
davit_uses := cli/davit.c cli base
# davit-oci is static and cannot have libsystemd: this speaks to systemd for it.
davit-scope_uses := cgroups/systemd/davit-scope.c cgroups/systemd cgroups base
# The image worker alone reads archives: the libraries for that stay out of the daemon.
davit-fetch_uses := images/fetch/davit-fetch.c images/fetch images bundle base
# Of network/ it has names and messages, nothing that speaks to the kernel.
davit-resolver_uses := network/resolver/davit-resolver.c network/resolver network base
# Of network/ it has the configuration and the job.
davit-cni_uses := network/cni/davit-cni.c network/cni network base
davit-image_uses := images/davit-image.c images/worker images bundle base

# davit-oci is static: a third of a short container's time would be the dynamic linker's.
# Sanitizers need the dynamic libraries.
ifeq ($(SANITIZE),)
davit-oci_ldflags := -static-pie
ifneq ($(filter x86_64-% aarch64-%,$(shell $(CC) -dumpmachine)),)
davit-oci_ldflags += -Wl,-e,self_start
endif
# Relocations as a bitmap: less to read at each start (4 % of a short container's time).
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
davit-oci_ldflags += -Wl,-z,pack-relative-relocs
endif
davit-oci_libs := -lseccomp -lcap -lyajl_s -lm
else
davit-oci_libs := -lseccomp -lcap -lyajl
endif
davit-image_libs := -larchive -lisal -lmd -lresolv -lzstd -lyajl -lseccomp -lcap -lcrypto -lsqlite3 -pthread
davit-resolver_libs := -lyajl -lseccomp -lcap
davit-cni_libs := -lyajl
davit-fetch_libs := -lcurl -lyajl -lseccomp -lcap
davitd_libs := -lyaml -lmnl -lseccomp -lcap -lyajl -lsqlite3 -lsystemd -lhttp_parser -lresolv -lmd
davit-scope_libs := -lsystemd -lyajl
davit_libs := -lyajl -lhttp_parser -lresolv

.PHONY: all deps demo test quick test-harness test-asan test-unit test-integration test-conformance test-vm test-fuzz check check-format \
        check-tidy check-cppcheck check-layers check-conformance check-man bench bench-images bench-supervise bench-networks bench-names format install uninstall deb clean help
all: $(PROGRAMS)

help:
	@echo "make            build everything into $(BUILD)/"
	@echo "make demo       install what is missing, build, and show containers running"
	@echo "make test       install what is missing, build, run all tests"
	@echo "make test T=NAME  the tests of one file, such as volumes"
	@echo "make quick      what a change is tried with first"
	@echo "make test-unit, test-fuzz, test-integration, test-conformance, test-vm  a kind of tests"
	@echo "make check      formatting, static analysis, include directions, manual pages"
	@echo "make check-format, check-layers, check-conformance, check-cppcheck, check-man, check-tidy  one of these"
	@echo "make format     lays all C files out"
	@echo "make bench      speed beside crun, runc and the bare kernel"
	@echo "make bench-images  unpacking and pulling beside tar, umoci, skopeo and Podman"
	@echo "make bench-supervise  memory, lists, statistics and logs beside docker and Podman"
	@echo "make bench-names  the resolver beside dnsmasq, alone and flooded"
	@echo "make bench-networks  starts on networks beside docker and Podman, a thousand attached, throughput"
	@echo "make deps       install what building needs"
	@echo "make install, uninstall  to DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)"
	@echo "make deb        Debian packages, in $(BUILD)/deb"
	@echo "make clean      remove $(BUILD)/"
	@echo "make SANITIZE=address,undefined BUILD=build/asan   a sanitizer build"

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC   $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

# What is only this build's own; remembered in a file, so that another value is noticed.
build_values := $(VERSION) $(LIBEXECDIR)
$(shell mkdir -p $(BUILD) && { [ "$$(cat $(BUILD)/values 2>/dev/null)" = "$(build_values)" ] || echo "$(build_values)" > $(BUILD)/values; })
$(BUILD)/obj/base/build.o: $(BUILD)/values
$(BUILD)/obj/base/build.o: override CFLAGS += -DDAVIT_VERSION='"$(VERSION)"' -DDAVIT_LIBEXECDIR='"$(LIBEXECDIR)"'

# It runs before the C library: no call of it may appear that nobody wrote.
$(BUILD)/obj/runtime/oci/self_start.o: override CFLAGS += -ffreestanding -fno-stack-protector \
    $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns) -fno-sanitize=all

# .incbin is invisible to -MMD.
$(BUILD)/obj/bundle/seccomp_profile.o: dist/seccomp.json

define folder_rule
$(call library,$(1)): $(call objects,$(filter-out $(mains),$(wildcard $(1)/*.c)))
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

# $(call inputs,LIST): an object for a .c file, a library for a folder.
inputs = $(foreach u,$(1),$(if $(filter %.c,$(u)),$(call objects,$(u)),$(call library,$(u))))

define program_rule
$(BUILD)/$(1): $(call inputs,$($(1)_uses))
	$$(call say,LINK $$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(or $$($(1)_ldflags),-pie) -o $$@ $$^ $$($(1)_libs)
endef
$(foreach p,$(notdir $(PROGRAMS)),$(eval $(call program_rule,$(p))))

# Dependencies.
deps:
	@tools/install-packages build

# Demo, tests, checks, bench.
demo:
	@tools/install-packages build demo
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	@tools/demo $(BUILD)

# T=NAME: the files NAME.bats alone.
test:
	@tools/install-packages build test package
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(BUILD)/bench/floor $(BUILD)/conformance/probe $(BUILD)/conformance/report
	@tests/run $(if $(T),file $(T))

quick:
	@tools/install-packages build test
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all unit-tests $(BUILD)/conformance/probe $(BUILD)/conformance/report
	@tools/check-layers && tools/check-rooms $(BUILD) && tools/check-numbers
	@tests/run quick

include tests/tests.mk

check: check-format check-layers check-conformance check-cppcheck check-man check-tidy

c_files = $(shell git ls-files '*.c' '*.h' 2>/dev/null || find . -name '*.[ch]')

check-format:
	@tools/install-packages check
	@clang-format --dry-run --Werror $(c_files) && echo "format: clean"

format:
	@clang-format -i $(c_files)

check-layers: $(PROGRAMS)
	@tools/check-layers
	@tools/check-numbers
	@tools/check-rooms $(BUILD)

check-conformance:
	@tools/check-conformance

check-cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --error-exitcode=1 --suppress=missingIncludeSystem -I. -D_GNU_SOURCE \
	    -DDAVIT_VERSION='""' -DDAVIT_LIBEXECDIR='""' -j 2 $(FOLDERS) && echo "cppcheck: clean"

check-tidy:
	@printf '%s\n' $(filter-out tests/%,$(filter %.c,$(c_files))) | \
	    xargs -P 2 -n 8 sh -c 'clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE -I. \
	    -DDAVIT_VERSION="\"0\"" -DDAVIT_LIBEXECDIR="\"/\"" 2>/dev/null' tidy && \
	    echo "clang-tidy: clean"

check-man:
	@for page in man/*.[1-8]; do mandoc -T lint -W warning $$page || exit 1; done; \
	    echo "man: clean"

bench: $(PROGRAMS) $(BUILD)/bench/floor $(BUILD)/bench/floor_container
	@tools/install-packages build bench
	@tests/bench/run $(BUILD)

bench-supervise: $(PROGRAMS)
	@tools/install-packages build bench bench-supervise
	@tests/bench/supervise $(BUILD)

bench-networks: $(PROGRAMS)
	@tools/install-packages build bench bench-networks
	@tests/bench/networks $(BUILD)

bench-names: $(PROGRAMS) $(BUILD)/bench/ask
	@tools/install-packages build bench bench-names
	@tests/bench/names $(BUILD)

bench-images: $(PROGRAMS)
	@tools/install-packages build bench bench-images
	@tests/bench/images $(BUILD)

# Installation.
install: all
	install -D -m 0755 $(BUILD)/davitd $(DESTDIR)$(SBINDIR)/davitd
	install -D -m 0755 $(BUILD)/davit-oci $(DESTDIR)$(SBINDIR)/davit-oci
	install -D -m 0755 $(BUILD)/davit $(DESTDIR)$(BINDIR)/davit
	install -D -m 0755 $(BUILD)/davit-image $(DESTDIR)$(LIBEXECDIR)/davit-image
	install -D -m 0755 $(BUILD)/davit-fetch $(DESTDIR)$(LIBEXECDIR)/davit-fetch
	install -D -m 0755 $(BUILD)/davit-resolver $(DESTDIR)$(LIBEXECDIR)/davit-resolver
	install -D -m 0755 $(BUILD)/davit-cni $(DESTDIR)$(LIBEXECDIR)/davit-cni
	install -D -m 0755 $(BUILD)/davit-scope $(DESTDIR)$(LIBEXECDIR)/davit-scope
	install -D -m 0644 dist/seccomp.json $(DESTDIR)$(DATADIR)/seccomp.json
	install -D -m 0644 dist/completion/davit-oci.bash \
	    $(DESTDIR)$(COMPLETIONDIR)/davit-oci
	install -D -m 0644 dist/completion/davit.bash $(DESTDIR)$(COMPLETIONDIR)/davit
	install -D -m 0644 dist/completion/davit.zsh $(DESTDIR)$(ZSHDIR)/_davit
	install -D -m 0644 dist/completion/davit.fish $(DESTDIR)$(FISHDIR)/davit.fish
	install -D -m 0644 dist/davitd.json $(DESTDIR)$(DATADIR)/davitd.json
	install -D -m 0644 dist/apparmor/davit-default $(DESTDIR)$(APPARMORDIR)/davit-default
	for unit in davit.service davit.socket; do \
	    mkdir -p $(DESTDIR)$(UNITDIR) && \
	    sed 's,@SBINDIR@,$(SBINDIR),g' dist/$$unit.in > $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done
	for page in man/*.[1-8]; do \
	    install -D -m 0644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; \
	done

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/davitd $(DESTDIR)$(SBINDIR)/davit-oci $(DESTDIR)$(BINDIR)/davit
	rm -f $(DESTDIR)$(UNITDIR)/davit.service $(DESTDIR)$(UNITDIR)/davit.socket
	for page in man/*.[1-8]; do \
	    rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done
	rm -f $(DESTDIR)$(COMPLETIONDIR)/davit-oci $(DESTDIR)$(COMPLETIONDIR)/davit $(DESTDIR)$(ZSHDIR)/_davit \
	    $(DESTDIR)$(FISHDIR)/davit.fish $(DESTDIR)$(APPARMORDIR)/davit-default
	rm -rf $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR)

deb:
	@tools/install-packages build package
	@tools/make-deb $(BUILD)

clean:
	rm -rf $(BUILD)
