# What one does with Chorus here. CMake's presets (CMakePresets.json) do the work; these are the words for it.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup tour hash test check stages test-asan test-tsan test-outside test-arm64 portability storm bench bench-page docs format clean

JOBS ?= $(shell nproc)
# Tests mostly wait: for a process to start, or to end. Two for each processor keep it busy.
TESTS_AT_ONCE ?= $(shell expr 2 \* $(JOBS))
DIR ?= /usr/lib
SECONDS ?= 60

# $(call build,PRESET,TARGETS,OPTIONS)
build = cmake --preset $(1) $(3) >/dev/null && cmake --build --preset $(1) --parallel $(JOBS) $(if $(2),--target $(2))
# Each run leaves its totals, for .ci/run to add up.
run_tests = rm -f build/$(1).junit.xml && ctest --preset $(1) --parallel $(TESTS_AT_ONCE) --output-junit $(CURDIR)/build/$(1).junit.xml

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand --tabs=16

setup:  ## install all that is missing (Debian); what follows installs what it needs itself
	@scripts/setup

tour:  ## build, and run the article's programs with a word on each
	@scripts/setup tour
	@cmake --preset tour >/dev/null
	@tools/tour --build build/tour

hash:  ## SHA-256 of all files below DIR, three ways: make hash DIR=/usr/lib
	@scripts/setup hash
	@$(call build,hash,hash_tree)
	@tools/hash build/tour $(DIR)

test:  ## the tests: g++, optimised; some minutes
	@scripts/setup test
	$(call build,release,tests)
	$(call run_tests,release)
	@echo "These were the tests by g++. There are more: make check (clang, sanitizers, packages, documentation), make storm (longer)."

# In this order, the quickest to fail first.
STAGES := test test-outside test-asan test-tsan test-arm64

check: setup $(STAGES)  ## all checks: test, and the next four

stages:
	@echo $(STAGES)

test-outside:  ## what users meet: packages, documentation, the compiler's messages
	@scripts/setup check
	$(call build,outside)
	$(call run_tests,outside)

test-asan:  ## everything compiled by clang; tests with its address and undefined behaviour sanitizers
	@scripts/setup check
	$(call build,asan)
	$(call run_tests,asan)

test-tsan:  ## tests of threads, and of processes started by spawn, with the thread sanitizer
	@scripts/setup check
	$(call build,tsan)
	$(call run_tests,tsan)

test-arm64:  ## the library for ARM64 by a cross compiler, and what QEMU can run of its tests
	@scripts/setup check
	$(call build,arm64)
	$(call run_tests,arm64)

portability:  ## the tests by g++ where the kernel refuses all system calls newer than Linux 5.4
	@scripts/setup test
	$(call build,release,tests program_refuse_calls)
	build/release/tests/program_refuse_calls 38 newer $(shell command -v ctest) --preset release --parallel $(TESTS_AT_ONCE)

storm:  ## kill -9 at random, over all objects and a pool, and count; then at each instruction: make storm SECONDS=60
	@scripts/setup test
	@$(call build,release,storm pool_storm last_kill memory_storm every_instruction)
	@build/release/tests/storm $(SECONDS)
	@build/release/tests/pool_storm $(SECONDS)
	@build/release/tests/memory_storm $(SECONDS)
	@build/release/tests/last_kill $(SECONDS)
	@for operation in put_wakes get_makes_room send_wakes; do build/release/tests/every_instruction $$operation || exit; done

bench:  ## measure, next to rivals and to what is asked: some minutes; make bench QUICK=1: less than two
	@scripts/setup bench
	@$(call build,bench,bench)
	@tools/bench build/bench $(if $(QUICK),--quick)
	@bench/targets build/bench/bench.jsonl
	@tools/bench_page build/bench/bench.jsonl --markdown build/bench/benchmarks.md --html build/bench/benchmarks.html

bench-page:  ## what was measured last into bench/results and docs/benchmarks.md
	@cp build/bench/bench.jsonl "bench/results/$$(sed -n '1s/.*"date": "\([0-9-]*\)".*/\1/p' build/bench/bench.jsonl).jsonl"
	@tools/bench_page build/bench/bench.jsonl --markdown docs/benchmarks.md

docs:  ## the documentation's site: build/docs/html/index.html
	@scripts/setup docs
	@tools/docs build/docs

format:  ## lay out the C++ code as .clang-format says
	@scripts/setup format
	git ls-files '*.cpp' '*.hpp' | xargs clang-format-16 -i

clean:  ## remove all that was built
	rm -rf build
