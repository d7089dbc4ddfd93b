# Builds, tests and runs the attrition scorer. `make help` lists what there is.
# Flavours have object folders of their own: FLAVOUR=release (default), asan (address + undefined), tsan (threads), cover,
# faults (dies at named points when asked to: base/failpoint.h).

BUILD   ?= build
FLAVOUR ?= release
PREFIX  ?= /usr/local
VERSION := $(shell cat VERSION)
CC      ?= cc
MODULES   := base avro events pipeline registry kafka trainer producer scorer
PROGRAMS := scorer producer trainer registry

OUT     := $(BUILD)/$(FLAVOUR)
ifeq ($(FLAVOUR),release)
BIN     := $(BUILD)/bin
else
BIN     := $(OUT)/bin
endif
GEN     := $(BUILD)/gen
VENV    := $(BUILD)/venv

FLAGS_release := -O2
FLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -fsanitize=thread -fno-omit-frame-pointer
FLAGS_cover   := -O0 --coverage
FLAGS_faults  := -O2 -DFAILPOINTS
FLAGS_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# What Debian hardens its packages with (dpkg-buildflags, hardening=+all), and control-flow protection where the processor has it.
# `make lint` looks for each of them in the programs (deploy/lint-hardening).
HARDEN         := -fPIE -fstack-protector-strong -fstack-clash-protection -Wformat -Werror=format-security
HARDEN_LINK    := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
ifneq ($(findstring x86_64,$(shell $(CC) -dumpmachine)),)
HARDEN         += -fcf-protection
HARDEN_LINK    += -Wl,-z,ibt -Wl,-z,shstk# Debian 12's startup files lack the mark, which would unmark the programs
endif
HARDEN_release := $(HARDEN) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN_faults  := $(HARDEN_release)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Wwrite-strings
WERROR  ?= -Werror
# One short line per file; V=1 shows the commands.
V       ?=
Q       := $(if $(V),,@)
NOTE     = @$(if $(V),:,printf '  %-8s %s\n')
# -ffp-contract=off: a past score is reproduced bit for bit, whatever the compiler fuses elsewhere.
CFLAGS  ?= -g
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -ffp-contract=off $(WARN) $(WERROR) $(FLAGS_$(FLAVOUR)) $(HARDEN_$(FLAVOUR)) $(CFLAGS) -I. -I$(GEN) -MMD -MP
LIBS    := -lrdkafka -lmicrohttpd -lpq -lavro -ljansson -lcurl -lprotobuf-c -lssl -lcrypto -lz -lzstd -lpthread -lm
ALL_LDFLAGS := $(FLAGS_$(FLAVOUR)) $(if $(HARDEN_$(FLAVOUR)),$(HARDEN_LINK)) $(LDFLAGS)
PG_INCLUDE := -I/usr/include/postgresql

# A module's library holds everything but the file with its main.
module_src  = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c $(1)/*/*.c))
module_obj  = $(patsubst %.c,$(OUT)/%.o,$(call module_src,$(1)))
LIB       = $(OUT)/lib$(1).a
# What each module's tests link, in link order: a module sees only what stands to its right (ARCHITECTURE.md).
needs_base     := base
needs_avro     := avro base
needs_events   := events avro base
needs_pipeline := pipeline base
needs_registry := registry events avro pipeline base
needs_kafka    := kafka base
needs_trainer  := trainer registry events avro pipeline base
needs_producer := producer kafka events avro base
needs_scorer   := scorer kafka registry events avro pipeline base
libs_of = $(foreach r,$(needs_$(1)),$(call LIB,$(r)))

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SECONDARY:

include $(wildcard deploy/*.mk tests/*.mk)

# Before anything is compiled, a machine without the tools gets the command that installs them, not a compiler's error about a header.
ifeq ($(wildcard $(OUT))$(filter help clean run test lint lint-% data kafka kafka-stop,$(MAKECMDGOALS)),)
BARE := $(shell printf '%s\n' '\#include <librdkafka/rdkafka.h>' '\#include <libpq-fe.h>' '\#include <avro.h>' '\#include <jansson.h>' '\#include <curl/curl.h>' \
          '\#include <microhttpd.h>' '\#include <openssl/sha.h>' '\#include <protobuf-c/protobuf-c.h>' '\#include <zlib.h>' '\#include <zstd.h>' | \
          $(CC) -E -I/usr/include/postgresql -o /dev/null - >/dev/null 2>&1 && command -v protoc-c >/dev/null && test -f /usr/include/onnx/onnx.proto || echo yes)
ifneq ($(BARE),)
$(error packages that the build needs are missing; install them with: deploy/bootstrap build)
endif
endif

build: $(addprefix $(BIN)/,$(PROGRAMS) embedded-broker) ## compile everything into build/bin

$(GEN)/onnx/onnx.pb-c.c: /usr/include/onnx/onnx.proto
	@mkdir -p $(@D)
	$(NOTE) protoc $@
	$(Q)protoc-c --proto_path=/usr/include --c_out=$(GEN) onnx/onnx.proto
$(GEN)/onnx/onnx.pb-c.h: $(GEN)/onnx/onnx.pb-c.c ;
$(OUT)/gen/onnx.pb-c.o: $(GEN)/onnx/onnx.pb-c.c
	@mkdir -p $(@D)
	$(NOTE) cc $@
	$(Q)$(CC) $(ALL_CFLAGS) -w -c -o $@ $<
$(call module_obj,pipeline): | $(GEN)/onnx/onnx.pb-c.h

# What a database must be at: the number of migrations. A migration that comes or goes touches the directory.
$(GEN)/sql/migration.h: sql
	@mkdir -p $(@D)
	@printf 'enum { SINK_MIGRATION = %d };\n' $(words $(wildcard sql/*.sql)) >$@

$(OUT)/%.o: %.c | $(GEN)/sql/migration.h
	@mkdir -p $(@D)
	$(NOTE) cc $<
	$(Q)$(CC) $(ALL_CFLAGS) $(PG_INCLUDE) -c -o $@ $<

# Files that scorer/http/embed.h reads
$(OUT)/scorer/http/static_files.o: $(wildcard scorer/web/*)
$(OUT)/scorer/http/openapi.o: scorer/http/openapi_components.json

define module_rule
$(call LIB,$(1)): $(call module_obj,$(1)) $(if $(filter pipeline,$(1)),$(OUT)/gen/onnx.pb-c.o)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(NOTE) ar $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach r,$(MODULES),$(eval $(call module_rule,$(r))))

define program_rule
$(BIN)/$(1): $(OUT)/$(1)/main.o $(call libs_of,$(1))
	@mkdir -p $$(@D)
	$(NOTE) link $$@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(BIN)/embedded-broker: $(OUT)/tools/embedded_broker.o $(call libs_of,base)
	@mkdir -p $(@D)
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# tests/unit/MODULE/test_NAME.c and tests/component/MODULE/test_NAME.c: one cmocka program each, linked with what the module may see.
UNIT_SRC      := $(wildcard tests/unit/*/test_*.c)
COMPONENT_SRC := $(wildcard tests/component/*/test_*.c)
test_bin       = $(patsubst %.c,$(OUT)/%,$(1))
define test_rule
$(OUT)/$(basename $(1)): $(OUT)/$(basename $(1)).o $(if $(filter tsan,$(FLAVOUR)),$(OUT)/tests/tsan_threads.o) $(call libs_of,$(notdir $(patsubst %/,%,$(dir $(1)))))
	$(NOTE) link $$@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(LIBS)
endef
$(foreach t,$(UNIT_SRC) $(COMPONENT_SRC),$(eval $(call test_rule,$(t))))
$(patsubst %.c,$(OUT)/%.o,$(UNIT_SRC)): | $(GEN)/onnx/onnx.pb-c.h

unit: $(call test_bin,$(UNIT_SRC)) ## run the unit tests of this FLAVOUR
	@set -e; for t in $^; do echo "# $$t"; $$t; done

clean: ## remove everything built
	rm -rf $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-15s %s\n", $$1, $$2}'

.PHONY: build unit clean help
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
