# What stands here is what CI runs. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BIN     := bin/procspan

# The pinned compiler of the kernel programs: its output is committed, and
# check-generated holds that it gives the same bytes again.
CLANG_VERSION := 14

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.DEFAULT_GOAL := all
.PHONY: all build install run test test-unit test-e2e test-kernels bench microbench fuzz lint vulncheck generate check-generated clean help

all: lint check-generated test test-kernels ## what CI runs

build: ## build bin/procspan
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/procspan

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

# The kernel tests run as root. They share one kernel and one machine's time,
# so packages go one after the other.
test-unit: ## the tests of this module, on the running kernel
	$(SUDO) env "PATH=$$PATH" $(GO) test $(TESTFLAGS) -p 1 -timeout 15m ./...
	$(SUDO) env "PATH=$$PATH" $(GO) test $(TESTFLAGS) -race -p 1 -timeout 15m ./process ./config ./otelexport/... ./console ./enrich/... ./selfmetrics ./bpf ./agent

test-e2e: build ## procspan with a real Jaeger and a real Collector (built on first use, some minutes)
	cd e2e && $(SUDO) env "PATH=$$PATH" $(GO) test $(TESTFLAGS) -v -count 1 -timeout 60m ./...

KERNELSFLAGS ?=
test-kernels: ## the kernel tests on Debian's 5.10, 6.1 and 6.12 and an arm64 kernel, emulated by QEMU (KERNELSFLAGS='-only 6.12 -v')
	$(GO) run ./kernels $(KERNELSFLAGS)

# What was committed last is what a run is held against. A run writes
# bench/results.json, bench/results.svg and the table in README.md; a quick one
# writes to bin.
BENCHFLAGS ?=
bench: build ## procspan beside other tracers, as root: 6 to 10 minutes (BENCHFLAGS=-quick: 1 to 2; -h); may apt-get install bpftrace and libbpf-tools
	$(GO) build -o bin/bench ./bench
	@git show HEAD:bench/results.json >bin/bench-before.json 2>/dev/null || true
	@$(SUDO) env "PATH=$$PATH" bin/bench -procspan $(BIN) -against bin/bench-before.json -readme README.md $(BENCHFLAGS)

microbench: ## Go benchmarks of the stages
	$(GO) test -run '^$$' -bench . -benchmem ./...

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v '^./e2e'); do \
		for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
			echo "$$t in $$(dirname $$f)"; \
			$(GO) test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f); \
		done; \
	done

# The macros of libbpf, as plain C.
CPPCHECK := cppcheck --enable=warning,portability,performance --language=c --error-exitcode=1 -q \
	--suppress=missingInclude --suppress=missingIncludeSystem \
	-D'SEC(x)=' -D'BPF_PROG(name,...)=name(unsigned long long *ctx, __VA_ARGS__)' \
	-D__always_inline=inline -D__noinline= -D'__uint(a,b)=int a' -D'__type(a,b)=b *a'

lint: ## gofmt, go vet, staticcheck, clang-format, cppcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "run gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags guest ./scenario
	cd e2e && $(GO) vet ./...
	cd e2e/collector && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@if command -v clang-format-$(CLANG_VERSION) >/dev/null; then \
		clang-format-$(CLANG_VERSION) --dry-run -Werror bpf/*.c bpf/*.h; \
	else echo "clang-format-$(CLANG_VERSION) is not installed: the C files are not checked (Debian: apt-get install clang-format-$(CLANG_VERSION))"; fi
	@if command -v cppcheck >/dev/null; then $(CPPCHECK) bpf/procspan.bpf.c; \
	else echo "cppcheck is not installed: the C file is not checked by it (Debian: apt-get install cppcheck)"; fi

vulncheck: ## known vulnerabilities in what is linked (asks vuln.go.dev)
	$(GO) run $(GOVULNCHECK) ./...

generate: ## rebuild the kernel programs and their Go bindings (needs clang)
	@command -v clang-$(CLANG_VERSION) >/dev/null && test -e /usr/include/bpf/bpf_helpers.h && command -v llvm-strip-$(CLANG_VERSION) >/dev/null || { \
		echo "this needs clang-$(CLANG_VERSION), llvm-$(CLANG_VERSION) and libbpf-dev; on Debian 12 or Ubuntu 22.04:"; \
		echo "  apt-get install clang-$(CLANG_VERSION) llvm-$(CLANG_VERSION) libbpf-dev"; exit 1; }
	BPF2GO_CC=clang-$(CLANG_VERSION) BPF2GO_STRIP=llvm-strip-$(CLANG_VERSION) $(GO) generate ./bpf

check-generated: ## hold that what is committed is what the sources give
	@set -e; before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; cp -r bpf/. "$$before"; \
	$(MAKE) --no-print-directory generate; \
	diff -rq "$$before" bpf || { \
		echo "the generated files in bpf/ differ from what was committed: commit what make generate gives"; exit 1; }; \
	echo "the committed kernel programs are what the sources give"

clean: ## remove what was built
	rm -rf bin

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
