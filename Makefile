# Development commands. "make help" lists them.

FUZZTIME  ?= 60s
BENCH     ?= .
COUNT     ?= 6
TESTFLAGS ?= -race -shuffle=on

# Every module of the repository, found by its go.mod; the root comes first.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell git ls-files --cached --others --exclude-standard go.mod '*/go.mod'))))
ifeq ($(MODULES),)
$(error no go.mod found: run make in a git clone)
endif

# Where tests count allocations or compare times, by name. Under the race
# detector they cannot.
ALLOCATES := $(sort $(dir $(shell git grep --untracked -lE '^func Test[A-Za-z0-9_]*(Allocat|LinearTime)' -- '*_test.go')))

# Linters and tools run at the versions that internal/tools/go.mod pins.
TOOL := go tool -modfile=$(CURDIR)/internal/tools/go.mod

# each runs a command in each of some directories, in all of them even when one fails.
each = @status=0; for dir in $(1); do echo "==> $@ $$dir"; (cd $$dir && $(2)) || status=1; done; exit $$status

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: race counts ## run every test, with the race detector, in random order; installs what is missing

.PHONY: race
race: installed
	$(call each,$(filter-out internal/tools,$(MODULES)),go test $(TESTFLAGS) ./...)

.PHONY: counts
counts: installed
	$(call each,$(ALLOCATES),go test $(filter-out -race,$(TESTFLAGS)) -run='Allocat|LinearTime' .)

.PHONY: installed
installed:
	@internal/tools/install.sh gcc $(shell grep -qs redis/rueidis go.mod && echo redis-server)

.PHONY: check
check: format vet staticcheck lint deps tidy ## format, vet, linters, dependency rules, go.mod files

.PHONY: format
format: ## list files that "make fmt" would change, and fail if there are any
	@echo "==> $@"
	@files=$$($(TOOL) gofumpt -l .) || exit; test -z "$$files" || { echo "run make fmt for:"; echo "$$files"; exit 1; }

.PHONY: vet
vet:
	$(call each,$(MODULES),go vet ./...)

.PHONY: staticcheck
staticcheck:
	$(call each,$(MODULES),$(TOOL) staticcheck ./...)

.PHONY: lint
lint:
	$(call each,$(MODULES),$(TOOL) golangci-lint run --config=$(CURDIR)/.golangci.yml ./...)

.PHONY: deps
deps: ## check who may import what, and the tools' own tests
	@echo "==> $@"
	@go test -count=1 ./internal/deps
	@cd internal/tools && go test ./...

.PHONY: tidy
tidy:
	$(call each,$(MODULES),go mod tidy -diff)

.PHONY: fmt
fmt: ## format all Go files
	$(TOOL) gofumpt -l -w .

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (60s)
	@internal/tools/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## run the benchmarks matching BENCH (.) COUNT (6) times; redirect to a file for benchstat
	@go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) ./...

.PHONY: benchstat
benchstat: ## compare two files that "make bench" wrote: OLD=a.out NEW=b.out
	@$(TOOL) benchstat $(OLD) $(NEW)
