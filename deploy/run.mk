# The one command, the real data and a real Kafka. The work is in the scripts beside this file.

DATA_FILE   := $(BUILD)/data/ibm_hr_attrition.csv
DATA_SHA256 := a5c31e38bd7fafc9bc333884eb181b06b41b8e5e488e8f7ccb27199fb3be7659
# `make -C project run DATA=x.csv`: x.csv is where make was called.
CALLED_FROM := $(if $(wildcard $(DATA)),$(CURDIR),$(or $(PWD),$(CURDIR)))

# The server packages only where no server was named.
run: ## employees in, attrition risks out: everything from nothing (DATA=file.csv, ONCE=1)
	@deploy/bootstrap build run $(if $(DATABASE_URL)$(DATABASE_URL_FILE),,database)
	@$(MAKE) --no-print-directory -s build
	@CALLED_FROM='$(CALLED_FROM)' BIN='$(BIN)' DATA='$(DATA)' ONCE='$(ONCE)' deploy/run.sh

data: $(DATA_FILE) ## get the real IBM HR table from the distribution's package
$(DATA_FILE): deploy/ibm_hr_table.R
	@deploy/bootstrap data
	@mkdir -p $(@D)
	@Rscript deploy/ibm_hr_table.R $@.new
	@echo '$(DATA_SHA256)  $@.new' | sha256sum --quiet -c - || { echo 'data: the package holds another table than the published one' >&2; exit 1; }
	@mv $@.new $@
	@echo 'The IBM HR table (1,470 employees) is $@; try: make run DATA=$@'

KAFKA_BROKER := BROKER_JARS='$(BUILD)/kafka/jars' deploy/kafka/broker
kafka: ## get and start a real single-node Kafka; prints KAFKA_BOOTSTRAP_SERVERS
	@deploy/bootstrap kafka
	@mkdir -p $(BUILD)
	@$(KAFKA_BROKER) start $(BUILD)/kafka/node auto.create.topics.enable=true >$(BUILD)/kafka.address
	@echo "export KAFKA_BOOTSTRAP_SERVERS=$$(cat $(BUILD)/kafka.address)"
	@echo '# It runs until: make kafka-stop'

kafka-stop: ## stop the Kafka of `make kafka`; its data stays in build/kafka/node
	@$(KAFKA_BROKER) stop $(BUILD)/kafka/node

.PHONY: run data kafka kafka-stop
