# make test: every test, those against real servers included. Logs of each program are in build/test-logs.
# All that is compiled and fetched comes first, by all cores. Component tests run twice as many at a time as there are cores, since they wait
# for most of their time; system tests as many (TEST_JOBS is another number for both).
# SKIP=NAME,… leaves programs or whole suites (unit, component, sim, system) out by name, and says so.

# Named here too: prerequisites are expanded where they stand, and the Makefile's own lists come after its includes.
UNIT_BINS      := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/unit/*/test_*.c)))
COMPONENT_BINS := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/component/*/test_*.c)))
# Those that wait longest begin first.
COMPONENT_BINS := $(filter %_loop %_loop_state,$(COMPONENT_BINS)) $(filter-out %_loop %_loop_state,$(COMPONENT_BINS))
SYSTEM_SRC     := $(sort $(wildcard tests/system/test_*.py tests/system/test_*.sh))
# A version before this one, for the test of upgrades: compiled again is what shows the version and the migration that it needs.
EARLIER_SCORER := $(BUILD)/earlier/bin/scorer
EARLIER_SRC    := base/options.c scorer/http/health.c scorer/http/metrics_values.c scorer/sink/sink_store.c
CORES      := $(shell nproc)
TEST_JOBS  ?=
# Beside the checkout: the real table and the golden files (see README.md).
SHARED     ?= $(abspath ../shared)
# One thread for each Python program: several wait for one another in loops that take the cores from the servers.
TEST_ENV   := SHARED='$(SHARED)' BIN='$(abspath $(BIN))' VENV='$(abspath $(VENV))' BROKER_JARS='$(abspath $(BUILD)/kafka/jars)' REGISTRY_JARS='$(abspath $(BUILD)/registry)' \
              LOGS='$(BUILD)/test-logs' SKIP='$(SKIP)' OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

test: ## run every test, real Kafka and PostgreSQL included (SKIP=name leaves a part out)
	@deploy/bootstrap build run database kafka test
	@rm -rf $(BUILD)/test-logs $(BUILD)/kept
	@mkdir -p $(BUILD)/test-logs
	@$(MAKE) --no-print-directory -s -k -j$(CORES) build test-programs sim-programs faults test-servers || $(MAKE) --no-print-directory -s build test-programs
	@for suite in unit component sim system; do $(MAKE) --no-print-directory -s test-$$suite || \
	  grep -qs "^$$suite " $(BUILD)/test-logs/counts || { echo "FAILED    $$suite: it could not begin (see above)"; echo "$$suite 0 1" >>$(BUILD)/test-logs/counts; }; done
	@awk '{ passed += $$2; failed += $$3 } END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }' $(BUILD)/test-logs/counts

# What cannot be had is reported by the suite that needs it.
test-servers: $(VENV)/.made $(BUILD)/kafka/jars/.pom $(BUILD)/registry/.pom

test-programs: $(UNIT_BINS) $(COMPONENT_BINS) $(EARLIER_SCORER)

$(EARLIER_SCORER): $(EARLIER_SRC) $(OUT)/scorer/main.o $(call libs_of,scorer) sql VERSION
	@mkdir -p $(@D) $(BUILD)/earlier/gen/sql
	@printf 'enum { SINK_MIGRATION = %d - 1 };\n' $(words $(wildcard sql/*.sql)) >$(BUILD)/earlier/gen/sql/migration.h
	$(NOTE) link $@
	$(Q)$(CC) -I$(BUILD)/earlier/gen $(filter-out -MMD -MP,$(ALL_CFLAGS)) -UVERSION -DVERSION='"0.0.0"' $(PG_INCLUDE) $(ALL_LDFLAGS) \
	  -o $@ $(filter %.c %.o %.a,$^) $(LIBS)

# A tree of the history, compiled by its own Makefile.
EARLIER ?=
upgrade: build test-servers $(EARLIER_SCORER) ## a rolling upgrade under load, and back, from the commit EARLIER (without it: from build/earlier)
	@set -e; tree=; if [ -n '$(EARLIER)' ]; then tree='$(abspath $(BUILD))/earlier/$(EARLIER)'; mkdir -p "$$tree"; git archive '$(EARLIER)' | tar -x -C "$$tree"; \
	  env -u MAKEFLAGS -u MFLAGS CC='$(CC)' $(MAKE) --no-print-directory -s -C "$$tree" build/bin/scorer; fi; $(TEST_ENV) EARLIER="$$tree" tests/system/test_upgrade.py

test-unit: $(UNIT_BINS) ## run the unit tests alone
	@$(TEST_ENV) JOBS=$(CORES) tests/run-suite unit 120 $^

test-component: build $(COMPONENT_BINS) ## run the component tests alone (embedded broker, private PostgreSQL)
	@$(TEST_ENV) JOBS=$(or $(TEST_JOBS),$(shell expr $(CORES) '*' 2)) tests/run-suite component 300 $(COMPONENT_BINS)

test-system: build faults $(EARLIER_SCORER) test-servers ## run the system tests alone (real Kafka, PostgreSQL, other programs)
	@$(TEST_ENV) JOBS=$(or $(TEST_JOBS),$(CORES)) tests/run-suite system 600 $(SYSTEM_SRC)

# Held to hashes where there are some: pip's files differ by processor and Python.
HASHED := $(shell python3 -c 'import platform, sys; print("yes" if (platform.machine(), *sys.version_info[:2]) == ("x86_64", 3, 11) else "")' 2>/dev/null)
pip_from = $(if $(HASHED),--require-hashes --no-deps -r $(1).lock,-r $(1).txt)

$(VENV)/.made: tests/system/requirements.txt tests/system/requirements.lock
	@echo 'Making a Python environment for the system tests in $(VENV)'
	@rm -rf $(VENV)
	@python3 -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile $(call pip_from,tests/system/requirements)
	@touch $@

$(BUILD)/kafka/jars/.pom: deploy/kafka/pom.xml
	@BROKER_JARS='$(abspath $(BUILD)/kafka/jars)' deploy/kafka/broker fetch
	@touch $@

# One after the other: Maven's own store is not for two at once.
$(BUILD)/registry/.pom: deploy/registry/pom.xml deploy/registry/server | $(BUILD)/kafka/jars/.pom
	@REGISTRY_JARS='$(abspath $(BUILD)/registry)' deploy/registry/server fetch
	@touch $@

.PHONY: upgrade test test-programs test-servers test-unit test-component test-system
