# A Debian package by debhelper, from a copy of the sources with deploy/debian in it. Two builds of one commit are equal, wherever and
# whenever they are made (SOURCE_DATE_EPOCH: the commit's time). Debug symbols come as a package of their own.

DEB_ROOT   := $(BUILD)/deb
DEB_TREE   := $(DEB_ROOT)/attrition-scorer-$(VERSION)
DEB_ARCH    = $(shell dpkg --print-architecture)
DEB_FILE    = $(BUILD)/attrition-scorer_$(VERSION)_$(DEB_ARCH).deb
# Who answers for the package; set it where you publish yours.
MAINTAINER ?= attrition scorer's authors <maintainers@example.org>
SOURCE_DATE_EPOCH ?= $(or $(shell git -c safe.directory='*' log -1 --format=%ct 2>/dev/null),$(shell stat -c %Y VERSION))
DEB_SOURCES = $(MODULES) schemas sql docs deploy tools tests/*.mk Makefile VERSION LICENSE *.md
# gcc and the C library's headers are build-essential's.
DEB_NEEDS   = $(filter-out gcc libc6-dev,$(shell deploy/bootstrap --list build))

deb: ## a Debian package of this tree, by debhelper
	@deploy/bootstrap build package
	@rm -rf $(DEB_ROOT)
	@mkdir -p $(DEB_TREE)
	@cp -a --parents $(wildcard $(DEB_SOURCES)) $(DEB_TREE)
	@cp -a deploy/debian $(DEB_TREE)/debian
	@cp deploy/systemd/attrition-scorer* $(DEB_TREE)/debian
	@for u in service timer; do cp deploy/systemd/attrition-maintain.$$u $(DEB_TREE)/debian/attrition-scorer.attrition-maintain.$$u; done
	@sed -i "s|@MAINTAINER@|$(MAINTAINER)|; s|@BUILD_DEPENDS@|$$(echo $(DEB_NEEDS) | sed 's/ /, /g')|" $(DEB_TREE)/debian/control
	@cp LICENSE $(DEB_TREE)/debian/copyright
	@printf 'attrition-scorer (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' '$(VERSION)' "$(MAINTAINER)" \
	  "$$(LC_ALL=C date -uRd @$(SOURCE_DATE_EPOCH))" >$(DEB_TREE)/debian/changelog
	@cd $(DEB_TREE) && SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) MAKEFLAGS= dpkg-buildpackage -b -us -uc --no-check-builddeps -j$$(nproc) >../log 2>&1 || \
	  { tail -n 30 ../log >&2; echo 'deb: dpkg-buildpackage failed (see above); its log is $(DEB_ROOT)/log' >&2; exit 1; }
	@mv $(DEB_ROOT)/*.deb $(BUILD)
	@sha256sum $(DEB_FILE)

# The one tag left out asks for a bug number of Debian's own archive.
lint-deb: deb lint-deb-only ## the package as lintian sees it
lint-deb-only:
	@lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs $(DEB_FILE)

# In a throw-away Debian of each release, with a clone of what is committed.
FRESH ?= $(SHARED)/tools/fresh-debian
try-deb: ## the package built twice, installed, run, upgraded and purged in bare Debian 12 and 13 (root)
	@set -e; for suite in bookworm trixie; do echo "# $$suite"; $(FRESH) --suite $$suite -- sh -c 'deploy/bootstrap build package >/dev/null && deploy/try-deb --twice'; done

.PHONY: deb lint-deb lint-deb-only try-deb
