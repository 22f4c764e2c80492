# Everything runs in .venv, made from the lock; only Python >= 3.11 and make are needed.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NPM_READY := clients/checks/node_modules/.ready
CLIENT := clients/typescript
CLIENT_READY := $(CLIENT)/node_modules/.ready
CLIENT_BUILT := $(CLIENT)/miniprogram_dist/package.json
NODE := PATH="$(abspath $(BIN)):$$PATH" $(BIN)/node
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
	command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $(p))))

.DEFAULT_GOAL := help
.PHONY: help run test test-long test-web bench bench-memory bench-ledger faults security check format demo migration openapi openapi-check client lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(READY) ## start the service on http://127.0.0.1:8000 (QX_PORT, QX_DATA_DIR)
	@exec $(BIN)/qingxiang serve

demo: $(READY) ## play one month of a county over HTTP, from an empty database
	@exec $(BIN)/qingxiang demo

# A file stays with one process: what its tests share is made once.
test: $(READY) ## run the tests on real engines
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(READY) $(NPM_READY) $(CLIENT_BUILT) ## 500 random runs of the ledger, planted flaws, races without their guards, killed processes, Schemathesis, the demonstration, a new noun, the flow of docs/frontend.md, the TypeScript client (15 minutes)
	$(BIN)/python -m pytest -m long -n 2

bench: $(READY) ## requests against a bare FastAPI echo and a bound, reads that grow, uploads of scans, a redemption day at 40 counters (19 minutes, needs wrk)
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.growth
	$(BIN)/python -m bench.uploads
	$(BIN)/python -m bench.days

bench-memory: $(READY) ## whether a worker grows under ten minutes of full load (needs wrk)
	$(BIN)/python -m bench.memory

bench-ledger: $(READY) ## transfers a second against pgbench, with a long ledger too
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.verify

faults: $(READY) ## kill, freeze and starve what the service stands on, set its clocks (35 minutes; F=f03 for one; f07 needs wrk)
	$(BIN)/python -m pytest tests/faults -m faults -p no:xdist -s $(if $(F),-k "$(F)")

security: $(READY) ## attack the service in every role, and find planted flaws
	$(BIN)/python -m pytest tests/security -m "security or not security" -n 2

check: $(READY) ## formatting, lint, types, import ladder
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY) ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migration: $(READY) ## write the migration for changed models (NAME="needs")
	@$(BIN)/qingxiang migration "$(NAME)"

openapi: $(READY) ## write clients/openapi.json anew
	$(BIN)/qingxiang openapi > clients/openapi.json.new
	@mv clients/openapi.json.new clients/openapi.json

openapi-check: $(NPM_READY) ## lint clients/openapi.json, generate types and a client, compile them (npm; 90 seconds)
	$(NODE) clients/checks/check.mjs

client: $(CLIENT_BUILT) ## build the TypeScript client from clients/openapi.json, check it, run it against the service (npm; a minute)
	$(NODE) $(CLIENT)/scripts/check.mjs
	$(BIN)/python -m pytest -p no:xdist -m "long or not long" tests/clients/test_typescript_client.py \
		tests/architecture/test_openapi.py::test_the_committed_document_is_current

test-web: $(READY) $(NPM_READY) ## drive the pages in Chromium (apt-get install chromium fonts-noto-cjk; QX_SHOTS=folder for screenshots)
	@command -v "$${QX_CHROMIUM:-chromium}" >/dev/null || { echo "Chromium is missing: apt-get install chromium fonts-noto-cjk, or set QX_CHROMIUM"; exit 1; }
	$(BIN)/python -m pytest tests/web -m browser -p no:xdist

lock: $(READY) ## write requirements.lock anew (hashes, no registry address)
	$(BIN)/uv pip compile pyproject.toml --extra embedded --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --upgrade -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --upgrade -q -o requirements-production.lock

clean: ## forget the environment and all local data
	rm -rf $(VENV) .data clients/checks/node_modules clients/checks/generated
	rm -rf $(addprefix $(CLIENT)/,node_modules src/generated test/generated dist miniprogram_dist)

$(VENV)/.locked: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: https://www.python.org/downloads/"; exit 1; }
	@echo "Preparing $(VENV) with $(PYTHON) (once, about a minute) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(READY): $(VENV)/.locked pyproject.toml
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# The registry is the one of npm's own configuration; the lock names none.
$(NPM_READY): clients/checks/package-lock.json $(READY)
	cd clients/checks && PATH="$(abspath $(BIN)):$$PATH" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(CLIENT_READY): $(CLIENT)/package-lock.json $(READY)
	cd $(CLIENT) && PATH="$(abspath $(BIN)):$$PATH" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(CLIENT_BUILT): $(CLIENT_READY) clients/openapi.json $(CLIENT)/package.json $(CLIENT)/tsconfig.json \
		$(wildcard $(CLIENT)/src/*.ts) $(CLIENT)/scripts/generate.mjs $(CLIENT)/scripts/build.mjs
	$(NODE) $(CLIENT)/scripts/generate.mjs
	$(NODE) $(CLIENT)/scripts/build.mjs
