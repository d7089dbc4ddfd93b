# Figures, not tests: each program of tests/bench/ prints what it measured beside a bound or a rival of the same run.
# tests/bench/NAME.c links every room; a first line `/* bench: …` says what it shows. Scripts beside them need servers and start their own.

BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_BIN := $(patsubst tests/bench/%.c,$(OUT)/tests/bench/%,$(BENCH_SRC))
BENCH_SH  := $(wildcard tests/bench/*.sh)

$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(call libs_of,scorer)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

bench: build $(BENCH_BIN) ## print the speed figures, as ratios within one run
	@set -e; for b in $(filter-out $(OUT)/tests/bench/%_bound,$(BENCH_BIN)); do echo "# $$(basename $$b)"; $$b; done
	@set -e; for s in $(BENCH_SH); do echo "# $$(basename $$s)"; BIN=$(BIN) BENCH_BIN=$(OUT)/tests/bench $$s; done

.PHONY: bench
