# SPDX-License-Identifier: Apache-2.0
# `make run` and `make test` are all one needs: they install what is missing (Debian 12), build, and go.
# Under them are CMake presets; see CMakePresets.json.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
TEST_JOBS ?= 2
DATA ?= data
ARGS ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

# build(preset, targets): configures once (CMake looks after itself from then on) and builds.
define build
	@test -f build/$(1)/build.ninja || cmake --preset $(1) --log-level=WARNING
	@cmake --build build/$(1) -j $(JOBS) $(if $(2),--target $(2))
endef

.PHONY: help run test build bench asan tsan fuzz coverage format check install clean

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Starts the daemon with three sample SQLite databases in ./data, and what POSTGRES_URL, REDIS_URL … name
	@tools/install_packages build
	$(call build,release,polypool_command)
	@tools/demo_data build/release/src/polypool $(DATA)
	@tools/demo_config >$(DATA)/demo.yaml
	@POLYPOOL_DATA=$(DATA) exec build/release/src/polypool serve --config $(DATA)/demo.yaml $(ARGS)

test: ## Builds and runs all tests, against real servers that it starts itself
	@tools/install_packages test
	@tests/support/build_ferretdb || true
	$(call build,dev)
	@ctest --test-dir build/dev -j $(TEST_JOBS) --output-on-failure --output-junit junit.xml $(ARGS)

build: ## Builds the library and the command for use (build/release)
	@tools/install_packages build
	$(call build,release)

bench: ## Runs the benchmarks; prints ratios to the raw drivers
	@tools/install_packages bench
	@cmake --preset release -B build/bench -D POLYPOOL_BENCHMARKS=ON --log-level=WARNING
	@cmake --build build/bench -j $(JOBS) --target bench

# Without UBSan's checks for null pointers, which AddressSanitizer stops at as well, and for objects' dynamic types: they
# are a sixth of the time it takes to compile.
asan: ## Runs the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/install_packages sanitizers
	$(call build,asan)
	@tools/sanitizer_run ctest --test-dir build/asan -j $(TEST_JOBS) --output-on-failure -LE 'build' $(ARGS)

tsan: ## Runs the tests under ThreadSanitizer (clang 19)
	@tools/install_packages sanitizers
	$(call build,tsan)
	@tools/sanitizer_run ctest --test-dir build/tsan -j $(TEST_JOBS) --output-on-failure -LE 'build' $(ARGS)

fuzz: ## Runs every fuzz target for FUZZ_SECONDS (60)
	@tools/install_packages sanitizers
	$(call build,fuzz,fuzzers)
	@tools/run_fuzzers build/fuzz $(FUZZ_SECONDS)

coverage: ## Measures line coverage into build/coverage/report.html
	@tools/install_packages coverage
	$(call build,coverage)
	@find build/coverage -name '*.gcda' -delete
	@ctest --test-dir build/coverage -j $(TEST_JOBS) --output-on-failure -LE 'build' $(ARGS)
	@gcovr --root . --filter src/ --filter include/ --html-details build/coverage/report.html --print-summary build/coverage

format: ## Formats all C++ files in place
	@tools/install_packages format
	@tools/check_format -i

check: ## Checks layers, headers, format and file sizes, without running tests
	@tools/install_packages test format
	@tools/check_layers
	@tools/check_file_sizes
	@tools/check_format
	$(call build,dev,headers_alone)

install: ## Installs the library and the command below PREFIX (/usr/local)
	@tools/install_packages build
	$(call build,release)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## Removes what was built (not ./data)
	@rm -rf build
