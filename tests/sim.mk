# Deterministic simulation: the score and sink loops on a simulated broker and database (tests/sim/README.md).
#   make sim [SIM_SECONDS=15 | SIM_SEEDS=N] [SIM_FIRST=1] [SIM_JOBS=2]
#   make sim-faults [FAULTS='NAME…'] [SIM_SECONDS=600]
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
SIM_BIN := $(OUT)/tests/sim/sim
# Everything of LIBS but librdkafka and libpq, whose functions the simulation brings itself.
SIM_LIBS = $(filter-out -lrdkafka -lpq,$(LIBS))

$(SIM_BIN): $(patsubst %.c,$(OUT)/%.o,$(SIM_SRC)) $(foreach r,scorer kafka registry events pipeline base,$(OUT)/lib$(r).a)
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=poll -o $@ $^ $(SIM_LIBS)

sim: $(SIM_BIN) ## run seeds of the simulation (SIM_SECONDS=15 or SIM_SEEDS=N)
	@$(SIM_BIN)

test-sim: $(SIM_BIN) ## the same as a suite of make test
	@$(TEST_ENV) tests/run-suite sim 120 $(SIM_BIN)

sim-faults: ## put each known fault back in, and see how soon the simulation finds it
	@CC='$(CC)' tests/sim/faults.sh $(FAULTS)

.PHONY: sim test-sim sim-faults
