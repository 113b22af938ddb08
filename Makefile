# What stands here is what CI runs. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BIN     := bin/procspan

# The pinned compiler of the BPF programs: its output is committed, and
# check-generated holds that it gives the same bytes again.
CLANG_VERSION := 14

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# One way to compile, so that a package is compiled once for the build, the
# linters, the tests and the amd64 guests. Only the race detector needs cgo.
export CGO_ENABLED := 0
# grpcnotrace leaves out gRPC's trace pages. Their html/template makes the linker keep
# every exported method of the program: 4 MB.
export GOFLAGS += -trimpath -tags=grpcnotrace
# The back ends of the end-to-end tests compile in two thirds of the time so; the
# tests build them with these flags, too.
BACKENDFLAGS := -trimpath -tags=grpcnotrace '-gcflags=all=-l -dwarf=false'

.DEFAULT_GOAL := all
.PHONY: all build install run test test-unit test-raced test-plain test-e2e e2e-backends soak kills test-hostile test-presets test-jobs test-kernels test-powercut bench page-figures microbench fuzz lint lint-go lint-c lint-collector vulncheck generate check-generated clean help

all: lint check-generated test fuzz test-kernels test-powercut ## what CI runs, in full length

build: ## build bin/procspan
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/procspan

PREFIX  ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
# Who may trace without being root. The capabilities stand in the file, so its
# mode decides who has them.
GROUP   ?= procspan

install: ## as root, after make build: the binary with file capabilities, and the systemd unit
	@test -x $(BIN) || { echo "there is no $(BIN): make build comes first"; exit 1; }
	getent group $(GROUP) >/dev/null || groupadd --system $(GROUP)
	install -D -m 0750 -g $(GROUP) $(BIN) $(DESTDIR)$(PREFIX)/bin/procspan
	setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep $(DESTDIR)$(PREFIX)/bin/procspan
	install -D -m 0644 deploy/procspan.service $(DESTDIR)$(UNITDIR)/procspan.service

# Tracing needs privileges; sudo is asked for where there are none.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

run: build ## show the processes of this host live, until Ctrl-C
	@$(SUDO) $(BIN) run

test: test-unit test-e2e ## all tests

# TESTFLAGS are added to every go test, as in make test TESTFLAGS=-v.
TESTFLAGS ?=

# The kernel tests run as root. sudo does not keep the environment.
AS_ROOT := $(SUDO) env "PATH=$$PATH" "GOFLAGS=$$GOFLAGS"

# The rooms with goroutines are tested under the race detector, the others
# without. They share one kernel and the machine's time, so packages are tested
# one after the other; -p 1 would also compile them so, hence the go build.
RACED := ./agent/... ./bpf/... ./enrich/... ./internal/... ./otelexport/... ./selfmetrics/...
test-unit: test-raced test-plain ## the tests of this module, on the running kernel

test-raced:
	$(AS_ROOT) CGO_ENABLED=1 $(GO) build -race $(RACED)
	$(AS_ROOT) CGO_ENABLED=1 $(GO) test $(TESTFLAGS) -race -p 1 -timeout 40m $(RACED)

test-plain:
	$(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -p 1 -timeout 40m \
		$$($(GO) list ./... | grep -vxF "$$($(GO) list $(RACED))")

test-hostile: ## what a user without privileges may do to the agent (part of test-unit)
	$(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -v -count 1 -timeout 20m ./test/hostile

PROCESSES ?= 20000
test-presets: ## a job of PROCESSES under deploy/backends' files, against a sink that enforces the back ends' limits
	$(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -v -count 1 -timeout 20m -run '^TestPresets$$' ./test/backends -processes $(PROCESSES)

test-jobs: ## what procspan says about real jobs: paths, comparisons, and every what-if change really made (1 to 3 minutes)
	$(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -v -count 1 -timeout 20m ./test/jobs -all

# For the flags of its tests, as in E2EFLAGS="-soak 2m".
E2EFLAGS ?=
test-e2e: build ## procspan with a real Jaeger and a real Collector (built on first use, some minutes)
	cd test/e2e && $(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -v -count 1 -timeout 60m ./... $(E2EFLAGS)

SOAK     ?= 20m
SLEEPERS ?= 10000
soak: ## storms, chains and SLEEPERS processes for SOAK, while the agent and a real Collector are killed and the disk is full
	cd test/e2e && $(AS_ROOT) CGO_ENABLED=0 $(GO) test -v -count 1 -timeout 3h -run '^TestSoak$$' . -soak $(SOAK) -sleepers $(SLEEPERS)

KILLS ?= 300
kills: ## kill the agent KILLS times at random moments under storms and chains: nothing may be lost
	cd test/e2e && $(AS_ROOT) CGO_ENABLED=0 $(GO) test -v -count 1 -timeout 3h -run '^TestKills$$' . -kills $(KILLS)

e2e-backends: ## build the Jaeger and the Collector of test-e2e, and test that they work
	cd test/e2e && $(GO) test $(TESTFLAGS) -v -count 1 -timeout 80m -run '^TestBackEnds$$' .

# A run of all tests that pass writes the table in docs/kernels.md; with
# KERNELSFLAGS=-check it is only compared with it.
KERNELSFLAGS ?=
# Twice the garbage collector of go1.26.8 died of a bad pointer in this program, which
# is pure Go, after all guests had ended; it needs none.
KERNELS := GOGC=off GOMEMLIMIT=4GiB $(GO) run ./test/kernels
test-kernels: ## the kernel tests on Debian's 5.10, 6.1 and 6.12 and an arm64 kernel, emulated by QEMU (KERNELSFLAGS='-only 6.12 -v')
	$(KERNELS) -page docs/kernels.md $(KERNELSFLAGS)

.PHONY: release pin test-deploy test-install
INSTALLED ?= 10000
test-install: ## install the package on a Debian booted by systemd, upgrade it while INSTALLED processes come and go, remove and purge it
	$(KERNELS) -install $(INSTALLED)

pin: ## write the digests of the images into .env: those that their tags point to now
	cd deploy && $(GO) run ./pin -file ../.env

test-deploy: ## packages, image, Helm chart, workflows
	cd deploy && $(AS_ROOT) CGO_ENABLED=0 $(GO) test $(TESTFLAGS) -count 1 -timeout 40m ./...

DIST ?= dist
release: ## packages, archives, an image, bills of materials and SHA256SUMS for amd64 and arm64, in DIST
	cd deploy && $(GO) run ./release -root .. -out $(abspath $(DIST))

CUTS ?= 50
test-powercut: ## cut the power of a guest that writes its logs to disk, CUTS times
	$(KERNELS) -powercut $(CUTS)

# What was committed last is what a run is held against. A run writes
# test/bench/results.json, test/bench/results.svg and the table in docs/cost.md; a quick one
# writes to bin.
BENCHFLAGS ?=
bench: build ## procspan beside other tracers, as root: 6 to 10 minutes (BENCHFLAGS=-quick: 1 to 2; -h); may apt-get install bpftrace and libbpf-tools
	$(GO) build -o bin/bench ./test/bench
	@git show HEAD:test/bench/results.json >bin/bench-before.json 2>/dev/null || true
	@$(SUDO) env "PATH=$$PATH" bin/bench -procspan $(BIN) -against bin/bench-before.json -page docs/cost.md $(BENCHFLAGS)

page-figures: ## how fast pages of 5,000, 100,000 and a million processes are in Chromium, on a machine with nothing else to do
	PAGE_FIGURES=1 $(GO) test -v -count 1 -run '^TestPage/figures$$' ./test/page

microbench: ## Go benchmarks of the stages
	$(GO) test -run '^$$' -bench . -benchmem ./...

# A target runs on one core, FUZZJOBS targets at a time. All are built first, so
# that FUZZTIME is spent on fuzzing. An input that fails stands in the package's
# testdata/fuzz afterwards, where go test runs it again: commit it with the fix.
# Inputs are not made smaller: by default go test spends up to a minute on each one
# that reaches new code, which is the whole FUZZTIME (10 runs of a target in 10 s
# instead of 4,500). FUZZMINIMIZE=60s makes one that fails smaller.
FUZZTIME ?= 30s
FUZZMINIMIZE ?= 0x
FUZZJOBS ?= 2
# At the end of its time go test may take its own deadline for a failure (go1.26:
# CoordinateFuzzing compares two contexts of which one is cancelled a moment later).
# What failed for real has written its input.
fuzz: ## every fuzz target for FUZZTIME
	@set -e; mkdir -p bin/fuzz; \
	targets=$$(grep -rnoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' --exclude-dir=e2e . | sed -E 's,^\./(.*)/[^/]*:func (.*),\1 \2,' | sort); \
	for dir in $$(echo "$$targets" | cut -d' ' -f1 | uniq); do \
		$(GO) test -c -fuzz . -o "bin/fuzz/$$(echo $$dir | tr / -).test" ./$$dir; \
	done; \
	echo "$$targets" | xargs -P $(FUZZJOBS) -L 1 sh -c ' \
		test=$$(pwd)/bin/fuzz/$$(echo $$0 | tr / -).test; cd $$0; \
		if out=$$($$test -test.run "^$$" -test.fuzz "^$$1$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime $(FUZZMINIMIZE) -test.parallel 1 -test.fuzzcachedir "$${test%.test}-corpus" 2>&1); \
		then echo "ok $$0 $$1: $$(echo "$$out" | grep "^fuzz: elapsed" | tail -1)"; \
		elif echo "$$out" | grep -qx "    context deadline exceeded" && ! echo "$$out" | grep -q "Failing input"; \
		then echo "ok $$0 $$1, with its deadline exceeded: $$(echo "$$out" | grep "^fuzz: elapsed" | tail -1)"; \
		else printf "%s\nFAIL %s %s\n" "$$out" $$0 $$1; exit 1; fi'

# The macros of libbpf, as plain C.
CPPCHECK := cppcheck --enable=warning,portability,performance --language=c --error-exitcode=1 -q \
	--suppress=missingInclude --suppress=missingIncludeSystem \
	-D'SEC(x)=' -D'BPF_PROG(name,...)=name(unsigned long long *ctx, __VA_ARGS__)' \
	-D__always_inline=inline -D__noinline= -D'__uint(a,b)=int a' -D'__type(a,b)=b *a'

lint: lint-go lint-c lint-collector ## gofmt, go vet, staticcheck, clang-format, cppcheck

lint-go:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "run gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags guest,grpcnotrace ./test/scenario
	cd test/e2e && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

lint-collector:
	cd test/e2e/collector && GOFLAGS="$(BACKENDFLAGS)" $(GO) vet ./...

lint-c:
	@if command -v clang-format-$(CLANG_VERSION) >/dev/null; then \
		clang-format-$(CLANG_VERSION) --dry-run -Werror bpf/*.bpf.c bpf/*.bpf.h; \
	else echo "clang-format-$(CLANG_VERSION) is not installed: the C files are not checked (Debian: apt-get install clang-format-$(CLANG_VERSION))"; fi
	@if command -v clang-$(CLANG_VERSION) >/dev/null && test -e /usr/include/bpf/bpf_helpers.h; then for h in bpf/*.bpf.h; do \
		clang-$(CLANG_VERSION) -target bpf -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function -fsyntax-only -x c $$h || \
			{ echo "$$h does not compile by itself: include what it uses"; exit 1; }; done; \
	else echo "clang-$(CLANG_VERSION) or libbpf-dev is not installed: the headers are not checked"; fi
	@if command -v cppcheck >/dev/null; then $(CPPCHECK) bpf/procspan.bpf.c; \
	else echo "cppcheck is not installed: the C file is not checked by it (Debian: apt-get install cppcheck)"; fi

vulncheck: ## known vulnerabilities in what is linked (asks vuln.go.dev)
	$(GO) run $(GOVULNCHECK) ./...

generate: ## rebuild the BPF programs and their Go bindings (needs clang)
	@command -v clang-$(CLANG_VERSION) >/dev/null && test -e /usr/include/bpf/bpf_helpers.h && command -v llvm-strip-$(CLANG_VERSION) >/dev/null || { \
		echo "this needs clang-$(CLANG_VERSION), llvm-$(CLANG_VERSION) and libbpf-dev; on Debian 12 or Ubuntu 22.04:"; \
		echo "  apt-get install clang-$(CLANG_VERSION) llvm-$(CLANG_VERSION) libbpf-dev"; exit 1; }
	BPF2GO_CC=clang-$(CLANG_VERSION) BPF2GO_STRIP=llvm-strip-$(CLANG_VERSION) $(GO) generate ./bpf

check-generated: ## hold that what is committed is what the sources give
	@set -e; before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; cp -r bpf/. "$$before"; \
	$(MAKE) --no-print-directory generate; \
	diff -rq "$$before" bpf || { \
		echo "the generated files in bpf/ differ from what was committed: commit what make generate gives"; exit 1; }; \
	echo "the committed BPF programs are what the sources give"

clean: ## remove what was built
	rm -rf bin

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
