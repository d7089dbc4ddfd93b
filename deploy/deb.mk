# A Debian package of what `make install` installs. The libraries' packages are asked of dpkg, so they are never listed by hand.

DEB_ROOT := $(BUILD)/deb
DEB_ARCH  = $(shell dpkg --print-architecture)
DEB_FILE  = $(BUILD)/attrition-scorer_$(VERSION)_$(DEB_ARCH).deb

deb: build ## a Debian package of the programs in build/
	@rm -rf $(DEB_ROOT)
	@$(MAKE) --no-print-directory -s install DESTDIR=$(DEB_ROOT)/tree PREFIX=/usr >/dev/null
	@install -Dm 644 LICENSE $(DEB_ROOT)/tree/usr/share/doc/attrition-scorer/copyright
	@install -d $(DEB_ROOT)/tree/DEBIAN $(DEB_ROOT)/debian
	@printf 'Source: attrition-scorer\n\nPackage: attrition-scorer\nArchitecture: any\n' >$(DEB_ROOT)/debian/control
	@libraries=$$(cd $(DEB_ROOT) && dpkg-shlibdeps -O $(addprefix tree/usr/bin/attrition-,$(PROGRAMS)) 2>/dev/null | sed -n 's/^shlibs:Depends=//p'); \
	  [ -n "$$libraries" ] || { echo 'deb: dpkg-shlibdeps found no libraries; it is in the package dpkg-dev' >&2; exit 1; }; \
	  printf 'Package: attrition-scorer\nVersion: %s\nArchitecture: %s\nMaintainer: %s\nDepends: %s\nRecommends: postgresql-client\nSection: net\nPriority: optional\nDescription: %s\n' \
	    '$(VERSION)' '$(DEB_ARCH)' "the attrition scorer's authors <maintainers@localhost>" "$$libraries" \
	    'scores employee change events from Kafka for attrition risk' >$(DEB_ROOT)/tree/DEBIAN/control
	@dpkg-deb --root-owner-group --build $(DEB_ROOT)/tree $(DEB_FILE)

.PHONY: deb
