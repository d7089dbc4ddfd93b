# Figures, not tests: each program of tests/bench/ prints what it measured beside a bound or a rival of the same run.
# tests/bench/NAME.c links every module; a first line `/* bench: …` says what it shows. Scripts beside them need servers and start their own
# (what commit.sh and stream.sh begin with is tests/bench/stage).

BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_BIN := $(patsubst tests/bench/%.c,$(OUT)/tests/bench/%,$(BENCH_SRC))
BENCH_SH  := $(wildcard tests/bench/*.sh)

$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(call libs_of,scorer)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# What reads files is the producer's.
$(OUT)/tests/bench/input_probe: $(OUT)/tests/bench/input_probe.o $(call libs_of,producer)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

bench: build $(BENCH_BIN) ## print the speed figures, as ratios within one run
	@set -e; for b in $(filter-out $(OUT)/tests/bench/%_bound $(OUT)/tests/bench/%_probe,$(BENCH_BIN)); do echo "# $$(basename $$b)"; $$b; done
	@set -e; for s in $(BENCH_SH); do echo "# $$(basename $$s)"; BIN=$(BIN) BENCH_BIN=$(OUT)/tests/bench $$s; done
	@if [ -e $(VENV)/.made ]; then $(MAKE) --no-print-directory bench-models; else echo '# models: make bench-models measures them beside others (it makes a Python environment first)'; fi

bench-instructions: $(OUT)/tests/bench/instructions_probe ## instructions of the hot paths beside the kept figures (callgrind)
	@BENCH_BIN=$(OUT)/tests/bench tests/bench/instructions.sh

# Needs a Python environment, and SHARED for the golden models.
bench-models: $(OUT)/tests/bench/models_bound $(BUILD)/venv/.bench ## models beside onnxruntime, tl2cgen, shap and XGBoost, in one table
	@$(TEST_ENV) BENCH_BIN=$(OUT)/tests/bench python3 tests/bench/models.py

bench-http: build $(BUILD)/venv/.bench ## POST /predict beside FastAPI and scikit-learn
	@deploy/bootstrap bench
	@$(TEST_ENV) python3 tests/bench/predict.py

bench-read: build ## the answers from PostgreSQL, on 100,000 employees (EMPLOYEES, MONTHS)
	@$(TEST_ENV) python3 tests/bench/read_api.py $(EMPLOYEES) $(MONTHS)

$(BUILD)/venv/.bench: tests/bench/requirements.txt tests/bench/requirements.lock $(BUILD)/venv/.made
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(call pip_from,tests/bench/requirements)
	@touch $@

.PHONY: bench bench-instructions bench-models bench-http bench-read
