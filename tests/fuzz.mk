# Fuzzing with clang's libFuzzer under the address and undefined-behaviour sanitizers: one program for each way into the
# parsers. `make fuzz SECONDS=600` runs each for ten minutes; what is found is left in build/fuzz/, with its input.
# Without a fuzzer, each target is replayed over its committed inputs (tests/fuzz/NAME/) with the unit tests of every flavour.

FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/tests/fuzz/%,$(FUZZ_SRC))
FUZZ_CC  ?= clang-14
SECONDS  ?= 60

# A program sees what its name's module may see: fuzz_onnx and fuzz_graph the pipeline, fuzz_head and fuzz_snapshot the scorer, fuzz_yaml
# the registry, the others events.
fuzz_libs = $(call libs_of,$(or $(if $(filter %fuzz_head %fuzz_snapshot,$(1)),scorer),$(if $(filter %fuzz_onnx %fuzz_graph,$(1)),pipeline),$(if $(filter %fuzz_yaml,$(1)),registry),events))
REPLAY_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/tests/fuzz/replay_%,$(FUZZ_SRC))
define replay_rule
$(1): $(OUT)/tests/fuzz/fuzz_$(2).o $(OUT)/tests/fuzz/replay.o $(call fuzz_libs,fuzz_$(2))
	$(NOTE) link $$@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(LIBS)
endef
$(foreach r,$(REPLAY_BIN),$(eval $(call replay_rule,$(r),$(patsubst replay_%,%,$(notdir $(r))))))
$(OUT)/tests/fuzz/fuzz_graph.o: | $(GEN)/onnx/onnx.pb-c.h
unit test-unit: $(REPLAY_BIN)
test-programs: $(REPLAY_BIN)

ifeq ($(FLAVOUR),fuzz)
define fuzz_rule
$(1): $(1).o $(call fuzz_libs,$(1))
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ $(LIBS)
endef
$(foreach f,$(FUZZ_BIN),$(eval $(call fuzz_rule,$(f))))
endif

fuzz-programs:
	@$(MAKE) --no-print-directory FLAVOUR=fuzz CC=$(FUZZ_CC) $(FUZZ_BIN)

# Seeds: the shipped schemas, and pairs with a datum; tests/fuzz/NAME/ holds inputs that failed once.
$(BUILD)/fuzz/seeds: schemas/employee_event.avsc schemas/prediction.avsc
	@mkdir -p $@/fuzz_schema $@/fuzz_plan
	@cp schemas/*.avsc $@/fuzz_schema
	@tr -d '\n' <schemas/employee_event.avsc >$@/fuzz_plan/same && printf '\n\n' >>$@/fuzz_plan/same
	@printf '["null","int"]\n"int"\n\002\002' >$@/fuzz_plan/union
	@printf '{"type":"array","items":["null","string"]}\n\n\004\002\002a\000\000' >$@/fuzz_plan/array
	@touch $@

fuzz: fuzz-programs $(BUILD)/fuzz/seeds ## fuzz the parsers, each for SECONDS (60)
	@set -e; cd '$(CURDIR)'; for f in $(FUZZ_BIN); do name=$$(basename $$f); \
	  echo "# $$name, $(SECONDS) s"; mkdir -p $(BUILD)/fuzz/corpus/$$name $(BUILD)/fuzz/seeds/$$name; \
	  $$f -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
	    $$(test -f tests/fuzz/$${name#fuzz_}.dict && echo -dict=tests/fuzz/$${name#fuzz_}.dict) \
	    -artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/corpus/$$name $(BUILD)/fuzz/seeds/$$name \
	    $$(test -d tests/fuzz/$$name && echo tests/fuzz/$$name) 2>&1 | grep -E 'ERROR|SUMMARY|Assert|number_of_executed|runtime error' || true; \
	  if ls $(BUILD)/fuzz/$$name-* >/dev/null 2>&1; then echo "fuzz: $$name found a fault, its input is $(BUILD)/fuzz/$$name-*" >&2; exit 1; fi; \
	done

# Long campaigns, by hand or by night: faults on purpose (tests/system/campaign.py), seed after seed from CAMPAIGN_SEED until
# CAMPAIGN_SECONDS are over, CAMPAIGN_LANES seeds side by side; then CAMPAIGN_ROUNDS of the tests that kill; with
# CAMPAIGN_FUZZ_SECONDS the fuzzers before, each for so long.
CAMPAIGN_SECONDS      ?= 3600
CAMPAIGN_SEED         ?= $(shell date +%s)
CAMPAIGN_LANES        ?= 3
CAMPAIGN_INJECTIONS   ?= 40
CAMPAIGN_RATE         ?= 300
CAMPAIGN_ROUNDS       ?= 1
CAMPAIGN_FUZZ_SECONDS ?=
CAMPAIGN_TESTS        := tests/system/test_exactly_once.py $(wildcard tests/system/test_*kill*.py)
# The build that dies at named points (base/failpoint.h); campaign-asan and campaign-tsan have the sanitizers look on.
FAULTS_FLAVOUR        ?= faults
FAULTS_BIN            := $(BUILD)/$(if $(filter faults,$(FAULTS_FLAVOUR)),faults,faults-$(FAULTS_FLAVOUR)/$(FAULTS_FLAVOUR))/bin

faults: $(if $(filter faults,$(FAULTS_FLAVOUR)),$(FAULTS_BIN)/clock_shift.so) | $(GEN)/onnx/onnx.pb-c.h $(GEN)/sql/migration.h # sanitizers want to be the first library
	@$(MAKE) --no-print-directory -s $(if $(filter faults,$(FAULTS_FLAVOUR)),FLAVOUR=faults $(BUILD)/faults/bin/scorer $(BUILD)/faults/bin/producer,\
	  FLAVOUR=$(FAULTS_FLAVOUR) BUILD=$(BUILD)/faults-$(FAULTS_FLAVOUR) CFLAGS='-g -DFAILPOINTS' $(FAULTS_BIN)/scorer)

ifeq ($(FLAVOUR),tsan)
$(BIN)/scorer: $(OUT)/tests/tsan_threads.o
endif

$(FAULTS_BIN)/clock_shift.so: tests/support/clock_shift.c
	@mkdir -p $(@D)
	@$(CC) -std=c17 -D_GNU_SOURCE $(WARN) $(WERROR) -O2 -fPIC -shared -o $@ $<

campaign: build faults $(VENV)/.made $(BUILD)/kafka/jars/.pom ## faults on purpose for CAMPAIGN_SECONDS (3600), then CAMPAIGN_ROUNDS (1) of kills
	@$(if $(CAMPAIGN_FUZZ_SECONDS),$(MAKE) --no-print-directory fuzz SECONDS=$(CAMPAIGN_FUZZ_SECONDS))
	@$(TEST_ENV) FAULTS_BIN='$(abspath $(FAULTS_BIN))' CAMPAIGN_SEED='$(CAMPAIGN_SEED)' CAMPAIGN_SECONDS='$(CAMPAIGN_SECONDS)' \
	  CAMPAIGN_LANES='$(CAMPAIGN_LANES)' FAULTS_INJECTIONS='$(CAMPAIGN_INJECTIONS)' FAULTS_RATE='$(CAMPAIGN_RATE)' tests/system/campaign.py
	@set -e; for round in $$(seq $(CAMPAIGN_ROUNDS)); do for test in $(CAMPAIGN_TESTS); do \
	  echo "# $$test, round $$round"; $(TEST_ENV) $$test; done; done

campaign-asan campaign-tsan: ## a short campaign (CAMPAIGN_SECONDS=600) of a scorer that sanitizers look on
	@$(MAKE) --no-print-directory campaign FAULTS_FLAVOUR=$(@:campaign-%=%) CAMPAIGN_SECONDS=$(if $(filter file,$(origin CAMPAIGN_SECONDS)),600,$(CAMPAIGN_SECONDS)) \
	  CAMPAIGN_LANES=2 CAMPAIGN_RATE=100 CAMPAIGN_ROUNDS=0

campaign-state campaign-at-least-once: ## a campaign that keeps current records in every seed; the same with DELIVERY=at-least-once
	@FAULTS_STATE=1 $(if $(filter %-once,$@),FAULTS_SETTINGS=DELIVERY=at-least-once) $(MAKE) --no-print-directory campaign CAMPAIGN_ROUNDS=0

STATE_EVENTS         ?= 100000
STATE_EMPLOYEES      ?= 5000

state-events: build faults $(VENV)/.made $(BUILD)/kafka/jars/.pom ## STATE_EVENTS (100000) of STATE_EMPLOYEES (5000), merged, each prediction compared
	@$(TEST_ENV) FAULTS_BIN='$(abspath $(FAULTS_BIN))' STATE_EVENTS='$(STATE_EVENTS)' STATE_EMPLOYEES='$(STATE_EMPLOYEES)' tests/system/test_state.py

sabotage: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## builds that lose, double or reorder on purpose: comparison, audit and simulation must catch each
	@$(TEST_ENV) CC='$(CC)' tests/sabotage.sh

soak: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## scorers under load and kills for SOAK_SECONDS (1800), their memory watched
	@$(TEST_ENV) SOAK_SECONDS='$(SOAK_SECONDS)' SOAK_KILL_SECONDS='$(SOAK_KILL_SECONDS)' SOAK_BATCH='$(SOAK_BATCH)' \
	  SOAK_GROWTH_MB='$(SOAK_GROWTH_MB)' tests/soak.py

# PostgreSQL unavailable, Kafka unavailable, a rolling restart, at full length and load; no event may wait longer than OUTAGE_LONGEST_MS in the restart.
OUTAGE_SECONDS       ?= 600
OUTAGE_KAFKA_SECONDS ?= 60
OUTAGE_RATE          ?= 5000
OUTAGE_LONGEST_MS    ?= 2000
OUTAGE_PHASES        ?= postgresql,kafka,restart
FLAT_EVENTS          ?= 10000000

outages: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## PostgreSQL unavailable for OUTAGE_SECONDS (600), Kafka unavailable, scorers restarted, at OUTAGE_RATE (5000) events a second
	@$(TEST_ENV) OUTAGE_SECONDS='$(OUTAGE_SECONDS)' OUTAGE_KAFKA_SECONDS='$(OUTAGE_KAFKA_SECONDS)' OUTAGE_RATE='$(OUTAGE_RATE)' \
	  OUTAGE_LONGEST_MS='$(OUTAGE_LONGEST_MS)' OUTAGE_PHASES='$(OUTAGE_PHASES)' tests/system/test_outages.py

flat-memory: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## FLAT_EVENTS (10000000) through one scorer, its memory watched
	@$(TEST_ENV) FLAT_EVENTS='$(FLAT_EVENTS)' tests/flat_memory.py

BACKFILL_KILLS       ?= 100
BACKFILL_ROWS        ?= 10000000

backfill-kills: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## a backfill of 200,000 rows, killed BACKFILL_KILLS (100) times and resumed
	@$(TEST_ENV) KILLS='$(BACKFILL_KILLS)' ROWS=200000 RATE=3000 tests/system/test_backfill.py

backfill-rows: build $(VENV)/.made $(BUILD)/kafka/jars/.pom ## BACKFILL_ROWS (10000000) generated, sent, scored, counted and audited
	@$(TEST_ENV) BACKFILL_ROWS='$(BACKFILL_ROWS)' tests/backfill_rows.py

.PHONY: fuzz fuzz-programs faults campaign campaign-asan campaign-tsan campaign-state campaign-at-least-once state-events sabotage soak outages flat-memory backfill-kills backfill-rows
