# Installs what is built. PREFIX is where it will be used, DESTDIR a directory before it that a package is made of.

SYSCONFDIR ?= /etc
SHARE      := $(DESTDIR)$(PREFIX)/share/attrition-scorer
DOC        := $(DESTDIR)$(PREFIX)/share/doc/attrition-scorer
SYSTEMD    := $(DESTDIR)$(PREFIX)/lib
CONFIG     := $(DESTDIR)$(SYSCONFDIR)/attrition-scorer

install: install-programs install-config install-units ## install programs, manuals, completions, schemas, migrations, documents, settings and systemd units under PREFIX

# The programs look for what is shipped beside them (../share/attrition-scorer), so an installed tree may be moved.
install-programs: build
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/schemas $(SHARE)/sql $(SHARE)/producer $(DOC)
	for p in $(PROGRAMS); do install -m 755 $(BIN)/$$p $(DESTDIR)$(PREFIX)/bin/attrition-$$p; done
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 bash-completion/completions zsh/site-functions)
	for p in $(PROGRAMS); do \
	    $(BIN)/$$p --man >$(DESTDIR)$(PREFIX)/share/man/man1/attrition-$$p.1 && \
	    $(BIN)/$$p --completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/attrition-$$p && \
	    $(BIN)/$$p --completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_attrition-$$p || exit 1; done
	install -m 644 $(wildcard schemas/*.*) $(SHARE)/schemas
	install -m 644 $(wildcard sql/*.sql) $(SHARE)/sql
	install -m 755 $(filter-out %.sql,$(wildcard sql/*)) $(SHARE)/sql
	install -m 644 producer/recipe.json $(SHARE)/producer
	install -m 644 README.md SECURITY.md CHANGELOG.md $(wildcard docs/*.md) $(DOC)

# A file of settings that is there already stays.
placed = sed 's|/usr/|$(PREFIX)/|; s|/etc/|$(SYSCONFDIR)/|g' deploy/systemd/$(1) >$(2) && chmod 644 $(2)
install-config:
	install -d $(CONFIG)
	for e in $(notdir $(wildcard deploy/systemd/*.env)); do [ -e $(CONFIG)/$$e ] || { $(call placed,$$e,$(CONFIG)/$$e); } || exit 1; done

install-units:
	install -d $(SYSTEMD)/systemd/system $(SYSTEMD)/sysusers.d $(SYSTEMD)/tmpfiles.d
	for u in $(notdir $(wildcard deploy/systemd/*.service deploy/systemd/*.timer)); do $(call placed,$$u,$(SYSTEMD)/systemd/system/$$u) || exit 1; done
	for d in sysusers tmpfiles; do $(call placed,attrition-scorer.$$d,$(SYSTEMD)/$$d.d/attrition-scorer.conf) || exit 1; done

.PHONY: install install-programs install-config install-units
