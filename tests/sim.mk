# Deterministic simulation: the score and sink loops on a simulated broker and database (tests/sim/README.md).
#   make sim [SIM_SECONDS=15 | SIM_SEEDS=N] [SIM_FIRST=1] [SIM_JOBS=2]
#   make sim-bugs [BUGS='NAME…'] [SIM_SECONDS=600]
#   make sim-traces [RECORD=1]
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
SIM_BIN := $(OUT)/tests/sim/sim
# Everything of LIBS but librdkafka and libpq, whose functions the simulation brings itself.
SIM_LIBS = $(filter-out -lrdkafka -lpq,$(LIBS))

$(SIM_BIN): $(patsubst %.c,$(OUT)/%.o,$(SIM_SRC)) $(foreach r,scorer kafka registry events avro pipeline base,$(OUT)/lib$(r).a)
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=poll -o $@ $^ $(SIM_LIBS)

# The same conversations with a real broker and with the simulated one (tests/sim/traces/scenarios.c).
SIM_TRACES := $(OUT)/tests/sim/traces
SIM_SHARED := $(filter-out %/audit.o %/changes.o %/sim.o %/stubs.o %/world.o %/database.o %/libpq.o,$(patsubst %.c,$(OUT)/%.o,$(SIM_SRC)))

$(SIM_TRACES)/simulated: $(SIM_TRACES)/simulated.o $(SIM_TRACES)/scenarios.o $(SIM_SHARED) $(foreach r,events avro base,$(OUT)/lib$(r).a)
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SIM_LIBS)

$(SIM_TRACES)/real: $(SIM_TRACES)/real.o $(SIM_TRACES)/scenarios.o
	$(NOTE) link $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lrdkafka

sim: $(SIM_BIN) ## run seeds of the simulation (SIM_SECONDS=15 or SIM_SEEDS=N)
	@$(SIM_BIN)

sim-programs: $(SIM_BIN) $(SIM_TRACES)/simulated

test-sim: $(SIM_BIN) $(SIM_TRACES)/simulated ## the same as a suite of make test
	@$(TEST_ENV) SIM_SIMULATED='$(SIM_TRACES)/simulated' tests/run-suite sim 120 $(SIM_BIN) tests/sim/traces/test_traces.sh

sim-traces: $(SIM_TRACES)/real $(BUILD)/kafka/jars/.pom ## hold a real Kafka against the conversations kept for the simulation (RECORD=1 keeps new ones)
	@BROKER_JARS='$(abspath $(BUILD)/kafka/jars)' SIM_REAL='$(SIM_TRACES)/real' tests/sim/traces/record.sh

sim-bugs: ## put each known bug back in, and see how soon the simulation finds it
	@CC='$(CC)' tests/sim/bugs.sh $(BUGS)

.PHONY: sim sim-programs test-sim sim-bugs sim-traces
