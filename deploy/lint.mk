# Form and rules of the sources, generated documents, sanitizer and coverage builds.

C_FILES      = $(sort $(wildcard $(addsuffix /*.[ch],$(MODULES) $(wildcard $(addsuffix /*/,$(MODULES))) tools) tests/*/*.[ch] tests/*/*/*.[ch]))
SCRIPTS      = $(shell grep -rlE '^\#!.*[/ ](ba)?sh$$' --exclude-dir='__pycache__' .ci deploy sql tests)
CLANG_FORMAT ?= clang-format-14
DOCGEN      := $(OUT)/tools/docgen
DOCUMENTS   := configuration errors metrics
document_of  = docs/$(shell echo $(1) | tr a-z A-Z).md

lint: lint-tools build lint-hardening lint-format lint-sources lint-cppcheck lint-scripts lint-patches lint-docs schemas-check ## check form, rules, scripts and generated documents
	@echo 'lint: no fault found'

lint-tools:
	@deploy/bootstrap build test lint

lint-hardening: build
	@deploy/lint-hardening $(addprefix $(BIN)/,$(PROGRAMS) embedded-broker)

lint-format:
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

lint-sources:
	@deploy/lint-sources

# Left out, because the compilers and sanitizers know better: uninitvar (taken in by `f(text, snprintf(text, …))`),
# incorrectLogicOperator (cannot read hexadecimal floats), shiftTooManyBitsSigned (>> keeps the sign with gcc and clang).
CPPCHECK_OFF := missingIncludeSystem missingInclude uninitvar incorrectLogicOperator shiftTooManyBitsSigned
lint-cppcheck:
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr -j2 \
	  $(addprefix --suppress=,$(CPPCHECK_OFF)) -D_GNU_SOURCE '-DVERSION="0"' -I. $(filter-out tests/%,$(filter %.c,$(C_FILES)))

lint-scripts:
	@shellcheck --severity=warning $(SCRIPTS)

# Bugs that are put back in to see whether a test finds them.
lint-patches:
	@for p in tests/sim/bugs/*.patch tests/sabotage/*.patch; do \
	  git apply --check -C1 --recount $$p || { echo "lint: $$p does not apply any more: write it again" >&2; exit 1; }; done

lint-docs: $(DOCGEN)
	@set -e; $(foreach d,$(DOCUMENTS),$(DOCGEN) $(d) | diff -u $(call document_of,$(d)) - || \
	  { echo 'lint: $(call document_of,$(d)) is not what its table says; run: make docs' >&2; exit 1; };)
	@{ $(PROMETHEUS_RULE); } | diff -u deploy/kubernetes/components/monitoring/prometheus-rule.yaml - || \
	  { echo 'lint: prometheus-rule.yaml is not what alerts.yml says; run: make docs' >&2; exit 1; }

$(DOCGEN): $(OUT)/tools/docgen.o $(call libs_of,base)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcrypto -lpq

# The alerts as the Prometheus operator takes them.
PROMETHEUS_RULE := printf '%s\n' '\# Written by "make docs" from deploy/prometheus/alerts.yml.' 'apiVersion: monitoring.coreos.com/v1' \
  'kind: PrometheusRule' 'metadata: {name: attrition}' 'spec:' && sed 's/^./  &/' deploy/prometheus/alerts.yml

docs: $(DOCGEN) ## write the documents that repeat a table (CONFIGURATION, ERRORS, METRICS), and the alerts for Kubernetes
	@mkdir -p docs
	@set -e; $(foreach d,$(DOCUMENTS),$(DOCGEN) $(d) >$(call document_of,$(d));)
	@{ $(PROMETHEUS_RULE); } >deploy/kubernetes/components/monitoring/prometheus-rule.yaml

# Each shipped schema reads what every earlier version of it wrote (BACKWARD_TRANSITIVE).
SCHEMAS_CHECK := $(OUT)/tools/schemas-check
$(SCHEMAS_CHECK): $(OUT)/tools/schemas_check.o $(call libs_of,avro)
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

schemas-check: $(SCHEMAS_CHECK) ## hold the shipped schemas against all their earlier versions
	@set -e; for s in employee_event prediction; do \
	  $(SCHEMAS_CHECK) schemas/$$s.avsc $(foreach d,schemas schemas/history,$$(ls $(d)/$$s.*.avsc 2>/dev/null || true)); done

fmt: ## format all C files
	@$(CLANG_FORMAT) -i $(C_FILES)

asan: ## unit tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory FLAVOUR=asan unit

tsan: ## unit tests under the thread sanitizer
	@$(MAKE) --no-print-directory FLAVOUR=tsan unit

cover: ## line and branch coverage of the unit tests
	@command -v gcovr >/dev/null || { echo 'cover: gcovr is missing; apt-get install gcovr' >&2; exit 1; }
	@$(MAKE) --no-print-directory FLAVOUR=cover unit
	@gcovr --root . --exclude 'tests/' --exclude '$(BUILD)/' --print-summary $(BUILD)/cover

.PHONY: schemas-check lint lint-tools lint-hardening lint-format lint-sources lint-cppcheck lint-scripts lint-docs docs fmt asan tsan cover
