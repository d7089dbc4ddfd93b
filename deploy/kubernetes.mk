# The manifests of deploy/kubernetes, rendered by kustomize and held against the schemas of the cluster's API. `make test` reads them without either.

KUSTOMIZE      ?= $(if $(shell command -v kustomize),kustomize build,kubectl kustomize)
KUBE_VENV      := $(BUILD)/kubernetes-venv
KUBE_VALIDATE  := kubernetes-validate==1.37.0
# Kinds of KEDA and of the Prometheus operator, whose schemas the validator does not have.
KUBE_FOREIGN   := ScaledObject|TriggerAuthentication|ServiceMonitor|PrometheusRule

manifests: $(KUBE_VENV)/.made ## render deploy/kubernetes into build/manifests and validate it
	@mkdir -p $(BUILD)/manifests
	@set -e; for overlay in deploy/kubernetes/overlays/*; do out=$(BUILD)/manifests/$$(basename $$overlay).yaml; \
	  $(KUSTOMIZE) $$overlay >$$out || { echo 'manifests: kustomize (or kubectl) is needed; KUSTOMIZE= names it' >&2; exit 1; }; \
	  $(KUBE_VENV)/bin/kubernetes-validate --strict $$out >$$out.log 2>&1 || { grep -v '^INFO' $$out.log >&2; exit 1; }; \
	  grep '^WARN' $$out.log | grep -vE "kind ($(KUBE_FOREIGN)) " >&2 && exit 1; \
	  echo "$$out: $$(grep -c '^kind:' $$out) resources, of which $$(grep -cE '^kind: ($(KUBE_FOREIGN))$$' $$out) not validated"; done

$(KUBE_VENV)/.made: deploy/kubernetes.mk
	@python3 -m venv $(KUBE_VENV)
	@$(KUBE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(KUBE_VALIDATE)
	@touch $@

.PHONY: manifests
