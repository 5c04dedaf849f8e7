# holdfast, from the command line. `make` alone lists what can be done.
#
# A machine needs Python (3.11 or later) and make, nothing else: the first target that is asked for makes `.venv` and
# installs the packages that .ci/lock.txt pins, by hash. That is repeated only when the lock or pyproject.toml changes.
#   PYTHON=/path/to/python3   choose the interpreter          FOR=20s   let `make run` stop by itself
#   ARGS="-k journal"         pass more to pytest or the benchmark

VENV  := .venv
BIN   := $(VENV)/bin
LOCK  := .ci/lock.txt
# Named after the folder, because an environment that was copied or moved along with it points to the old place.
READY := $(VENV)/ready-$(shell pwd | cksum | cut -d' ' -f1)
DEMO  := demo/holdfast.toml
# kill -9 of make itself must not leave the run behind, holding its journal. Linux has a word for that.
TIED  := $(shell setpriv --pdeathsig KILL true 2>/dev/null && echo setpriv --pdeathsig KILL)

.DEFAULT_GOAL := help
.PHONY: help run test check format prove mutants bench judges soak update audit clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name does; do printf '  make %-8s %s\n' "$$name" "$$does"; done

run: $(READY) ## go on with the demo: an unattended paper session (FOR=20s stops it by itself)
	@test -e $(DEMO) || $(BIN)/holdfast init $(dir $(DEMO))
	@exec $(TIED) $(BIN)/holdfast run -c $(DEMO) $(if $(FOR),--for $(FOR))

test: $(READY) ## run the whole test suite on all cores
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

check: $(READY) ## ruff and mypy --strict
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy

format: $(READY) ## write the code the way `make check` wants it
	@$(BIN)/python -m ruff check --fix-only
	@$(BIN)/python -m ruff format

prove: $(READY) ## kill, cut, flip and lose everything, by seeds, and look at what is left (ARGS="--seconds 3600 --seeds 100000")
	@$(BIN)/python -m tools.proof $(ARGS)

mutants: $(READY) ## break the build on purpose, once in each way, and see who notices
	@$(BIN)/python -m tools.proof.mutants $(ARGS)

bench: $(READY) ## measure, the backtest beside its peers (ARGS=backtest for that alone); they get environments in .bench
	@$(BIN)/python -m tools.bench $(ARGS)

judges: $(READY) ## official Binance clients drive the local exchange (ARGS=--slice: two minutes of it); environments in .judges
	@$(BIN)/python -m tools.judges $(ARGS)

soak: $(READY) ## trade a day of market at 50 times its speed, half an hour (ARGS="--hours 0.5"), and settle to the last decimal
	@$(BIN)/python -m tools.soak $(ARGS)

update: ## renew the lock with the newest versions
	@.ci/update $(LOCK)

audit: $(READY) ## name known vulnerabilities of the locked packages
	@$(BIN)/python .ci/audit.py $(LOCK)

clean: ## remove what the other targets made, the demo and its journal excepted
	@rm -rf $(VENV) .bench .judges .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(READY): $(BIN)/python $(LOCK) pyproject.toml
	@.ci/setup $(VENV) $(LOCK)
	@touch $@

# No recipe: where the interpreter is missing (also: a link that leads nowhere), .ci/setup makes the environment anew.
$(BIN)/python:
