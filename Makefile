# What people do here. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
TESTFLAGS ?=

# The programs, the tools, vet and the linter are all compiled in one way, so
# that they share one build cache; only -race has to compile its own.
STATIC := CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false'
TOOL := $(STATIC) go run ./test/tools/get

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v cc || command -v clang),-race)

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the programs into bin/, static
	$(STATIC) go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: demo
demo: build ## Tell the whole story on two real API servers; KEEP=1 leaves it running
	@$(STATIC) go build -o bin/demo ./test/demo
	@exec bin/demo $(if $(filter-out 0,$(KEEP)),-keep)

.PHONY: test
test: ## Vet and test everything; SHORT=1 leaves out what needs real servers
	$(STATIC) go vet ./...
ifeq ($(filter-out 0,$(SHORT)),)
	@$(TOOL) etcd kube-apiserver kube-controller-manager kube-scheduler helm minio argocd2 argocd3 >/dev/null
endif
	$(if $(RACE),,@echo 'no C compiler: testing without the race detector')
	CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) $(if $(filter-out 0,$(SHORT)),-short) -timeout 40m $(TESTFLAGS) ./...

.PHONY: e2e
e2e: ## Take changes through real Argo CD, both majors, and tell the demo
	@$(TOOL) etcd kube-apiserver kube-controller-manager kube-scheduler argocd2 argocd3 >/dev/null
	$(STATIC) go test -count=1 -timeout 40m $(TESTFLAGS) ./test/argocd/... ./test/e2e/...

.PHONY: bench
bench: ## Run the benchmarks of docs/benchmarks.md
	@$(TOOL) helm conftest >/dev/null
	$(STATIC) go test -run '^$$' -bench . -timeout 60m $(TESTFLAGS) ./test/bench/...

FUZZTIME ?= 10s
FUZZ ?= .

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME, one after the other; FUZZ=Merge only those
	@failed=0; \
	while IFS=: read -r file name; do \
		dir="./$$(dirname "$$file")"; \
		if ! out="$$($(STATIC) go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -parallel 1 $$dir 2>&1)"; then \
			echo "$$out"; failed=1; \
		fi; \
		printf '%-28s %-26s %s executions\n' "$$dir" "$$name" "$$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' <<<"$$out" | tail -1)"; \
	done < <(git ls-files -z --cached --others --exclude-standard -- '*_test.go' | xargs -0 grep -oHE '^func Fuzz[A-Za-z0-9]+' | sed 's/func //' | grep -E '$(FUZZ)'); \
	exit $$failed

.PHONY: lint
lint: ## Check form, house rules, the chart and go.mod
	@bad="$$(git ls-files -z --cached --others --exclude-standard -- '*.go' | xargs -0 gofmt -l)"; \
	if [ -n "$$bad" ]; then echo "not as gofmt writes it:" >&2; echo "$$bad" >&2; exit 1; fi
	$(STATIC) go vet ./...
	$(STATIC) "$$($(TOOL) golangci-lint)" run --allow-parallel-runners ./...
	"$$($(TOOL) helm)" lint --strict charts/syncgate
	go mod tidy -diff

.PHONY: clean
clean: ## Remove bin/; the built tools in .cache/tools stay
	rm -rf bin dist
