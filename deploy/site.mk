# The documents as a site, from the same Markdown (deploy/site/mkdocs.yml).

SITE_VENV   := $(BUILD)/site-venv
SITE_SOURCE := $(BUILD)/site-source
SITE        := $(BUILD)/site
# Documents, and what they link to.
SITE_FILES   = $(shell git ls-files '*.md' docker-compose.yml)

site: $(SITE_VENV)/.made ## the documents as a site in build/site, every link checked
	@rm -rf $(SITE_SOURCE) && mkdir -p $(SITE_SOURCE)
	@cp --parents $(SITE_FILES) $(SITE_SOURCE)
	@cp deploy/site/site.css $(SITE_SOURCE)
	@SITE_SOURCE='$(abspath $(SITE_SOURCE))' SITE='$(abspath $(SITE))' \
	  $(SITE_VENV)/bin/mkdocs build --strict --config-file deploy/site/mkdocs.yml >$(SITE_SOURCE).log 2>&1 || { grep -v ^INFO $(SITE_SOURCE).log >&2; exit 1; }
	@echo "site: $(SITE)/index.html"

$(SITE_VENV)/.made: deploy/site/requirements.lock
	@python3 -m venv $(SITE_VENV)
	@$(SITE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: site
