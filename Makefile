# `make help` lists the targets. Everything is a thin call: the work is in tools/ and scripts/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# How far `make demo` proves aggregations: native, or execute (which first builds the executors: minutes once).
LEVEL ?= native
# How often `make demo-repeat` runs it, and beside how many processes that only take processor time.
N ?= 10
BUSY ?= 2
CHECKS := lint unit parity rust contracts forge integration faults e2e fork
.PHONY: help setup demo demo-repeat test devnet bench bench-gas prove-fixtures bindings format clean $(CHECKS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  make KIND         one step of the tests: $(CHECKS)"

setup: ## prepare this clone: Python and npm packages, solc, native extension, contracts (repeatable)
	@tools/setup.sh

demo: setup ## real proofs through both products on a local devnet, ends with a table (LEVEL=execute runs the zkVMs)
	@[ $(LEVEL) = native ] || tools/build_prover.sh execute
	@$(VENV)/aligned demo --level $(LEVEL)

demo-repeat: setup ## the demo N times (N=10) beside BUSY=2 busy processes; fails if one run does not hold
	@$(VENV)/python tools/repeat_demo.py $(N) --busy $(BUSY) --level $(LEVEL)

test: setup ## lint and all tests, with the time of each step
	@$(VENV)/python tools/check.py $(CHECKS)

$(CHECKS): setup
	@$(VENV)/python tools/check.py $@

devnet: setup ## a devnet that stays up (ports 8545, 8080 and 8070) until Ctrl-C
	@$(VENV)/ape run devnet

bench: setup ## all measurements beside the reference's figures
	@$(VENV)/python tools/bench.py

bench-gas: setup ## gas figures, measured afresh on anvil into bench/gas.json
	@$(VENV)/python tools/bench_gas.py

prove-fixtures: setup ## make the real aggregations among the test vectors again: over an hour, 20 GiB of memory, protoc
	@tools/build_prover.sh prove
	@$(VENV)/python tools/prove_fixtures.py risc0
	@$(VENV)/python tools/prove_fixtures.py sp1

bindings: setup ## write the ABIs that the Python package ships, after a change of a contract
	@$(VENV)/python tools/generate_bindings.py

format: setup ## rewrite sources in the house format
	@tools/format.sh

clean: ## remove what setup and the tests made in this clone (caches under ~/.cache stay)
	@tools/clean.sh
