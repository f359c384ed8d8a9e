# make env     the virtual environment .venv, made again when setup.cfg is newer
# make run     a node: make run ARGS="--state DIR --set sip.port=5070"
# make test    the tests: make test TESTS=tests.test_config
# make check   format, lint, types and layers: seconds, before every commit
# make demo    two nodes and two phones: a real call with audio, and what each stage of its set-up took
# make slow    the long form of the tests that have one: make slow SCALE=0.1 SEED=7 for a tenth of it
# make etc     etc/p2pship.toml again, from the code

PYTHON_FILES = src tests bench demo examples twisted setup.py .ci/requirements.py
RUN = .venv/bin/python
TESTS ?= tests
JOBS ?= 3
ARGS ?=
SCALE ?= 1
SEED := $(or $(SEED),$(shell date +%s))
LONG_TESTS = $(shell grep -lrE --include='test_*.py' 'hypothesis|tests\.scale' tests)

.PHONY: env run test check slow demo etc clean

env: .venv/made

.venv/made: setup.cfg .ci/env .ci/requirements.py
	.ci/env

run: env
	.venv/bin/twistd -n --pidfile= p2pship $(ARGS)

test: env
	$(RUN) -m twisted.trial -j $(JOBS) $(TESTS)

slow: env
	@echo "the long tests, seed $(SEED), scale $(SCALE)"
	P2PSHIP_SLOW=$(SCALE) P2PSHIP_SEED=$(SEED) $(RUN) -m twisted.trial -j $(JOBS) $(LONG_TESTS)

check: env
	.venv/bin/ruff format --check $(PYTHON_FILES)
	.venv/bin/ruff check $(PYTHON_FILES)
	.venv/bin/mypy src tests bench demo examples
	$(RUN) -m twisted.trial tests.test_layers

demo: env
	$(RUN) -m demo

etc: env
	$(RUN) -m p2pship.cli config > etc/p2pship.toml.new
	mv etc/p2pship.toml.new etc/p2pship.toml
	$(RUN) -m p2pship.cli.completion > etc/p2pship.bash.new
	mv etc/p2pship.bash.new etc/p2pship.bash

clean:
	rm -rf build dist *.egg-info src/*.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis
