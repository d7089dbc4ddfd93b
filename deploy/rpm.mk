# An RPM package of what `make install` makes, by rpmbuild alone: the same files as the Debian package. It asks for the libraries by the names
# that they have where it is made, so make it on a system like the one it is for.

RPM_ROOT  := $(BUILD)/rpm
RPM_STAGE := $(RPM_ROOT)/stage

rpm: build ## an RPM package of this tree, by rpmbuild
	@command -v rpmbuild >/dev/null || { echo 'rpm: rpmbuild is missing; install it with: apt-get install rpm (dnf install rpm-build)' >&2; exit 1; }
	@rm -rf $(RPM_ROOT)
	@$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(RPM_STAGE)) PREFIX=/usr
	@strip --strip-unneeded $(RPM_STAGE)/usr/bin/*
	@gzip -9n $(RPM_STAGE)/usr/share/man/man1/*
	@cd $(RPM_STAGE) && { find . -type d -path '*/attrition-scorer*' -printf '%%dir /%P\n'; find . -type f -printf '/%P\n' | sed 's|^/etc/|%config(noreplace) &|'; } | sort >../files
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) rpmbuild -bb --quiet --define '_topdir $(abspath $(RPM_ROOT))' --define '_rpmdir $(abspath $(BUILD))' \
	  --define '_rpmfilename %{name}-%{version}-%{release}.%{_arch}.rpm' --define 'given_version $(VERSION)' \
	  --define 'staged $(abspath $(RPM_STAGE))' --define 'listed $(abspath $(RPM_ROOT))/files' deploy/rpm/attrition-scorer.spec
	@sha256sum $(BUILD)/attrition-scorer-$(VERSION)-1.*.rpm

.PHONY: rpm
