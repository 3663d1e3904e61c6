# What one does with Chorus here. CMake's presets (CMakePresets.json) do the work; these are the words for it.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup tour hash test test-release test-clang test-asan test-tsan storm bench bench-page docs format clean

JOBS ?= $(shell nproc)
DIR ?= /usr/lib
SECONDS ?= 60

# $(call build,PRESET,TARGETS)
build = cmake --preset $(1) >/dev/null && cmake --build --preset $(1) --parallel $(JOBS) $(if $(2),--target $(2))
# Each run leaves its totals beside what it built, for .ci/run to add up.
run_tests = rm -f build/$(1)/junit.xml && ctest --preset $(1) --parallel $(JOBS) --output-junit $(CURDIR)/build/$(1)/junit.xml

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand --tabs=16

setup:  ## install what is missing (Debian)
	@scripts/setup

tour: setup  ## build, and run the article's programs with a word on each
	@$(call build,release,article)
	@tools/tour build/release

hash: setup  ## SHA-256 of all files below DIR, three ways: make hash DIR=/usr/lib
	@$(call build,release,hash_tree)
	@tools/hash build/release $(DIR)

test: setup test-release test-clang test-asan test-tsan  ## all tests, with both compilers and the sanitizers

test-release:  ## all tests, g++, optimised
	$(call build,release)
	$(call run_tests,release)

test-clang:  ## all tests, clang
	$(call build,clang)
	$(call run_tests,clang)

test-asan:  ## all tests, with address and undefined behaviour sanitizers
	$(call build,asan)
	$(call run_tests,asan)

test-tsan:  ## tests of threads, and of processes started by spawn, with the thread sanitizer
	$(call build,tsan)
	$(call run_tests,tsan)

storm: setup  ## kill -9 at random, over all objects and a pool, and count: make storm SECONDS=60
	@$(call build,release,storm pool_storm last_kill)
	@build/release/tests/storm $(SECONDS)
	@build/release/tests/pool_storm $(SECONDS)
	@build/release/tests/last_kill $(SECONDS)

bench: setup  ## measure, next to rivals and to what is asked: some minutes; make bench QUICK=1: less than two
	@$(call build,release,bench)
	@tools/bench build/release $(if $(QUICK),--quick)
	@bench/targets build/release/bench.jsonl
	@tools/bench_page build/release/bench.jsonl --markdown build/release/benchmarks.md --html build/release/benchmarks.html

bench-page:  ## what was measured last into docs/benchmarks.md and docs/benchmarks.html
	@tools/bench_page build/release/bench.jsonl --markdown docs/benchmarks.md --html docs/benchmarks.html

docs:  ## the documentation's site: build/docs/html/index.html
	@tools/docs build/docs

format:  ## lay out the C++ code as .clang-format says
	git ls-files '*.cpp' '*.hpp' | xargs clang-format-16 -i

clean:  ## remove all that was built
	rm -rf build
