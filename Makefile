# Two commands do everything on a fresh machine: `make all` (the whole wheel on the bundled demonstration) and `make test`.

# onnxruntime-node would try to download GPU libraries that nothing here uses.
export ONNXRUNTIME_NODE_INSTALL_CUDA := skip

.PHONY: all test check bench build clean setup

all: setup
	@npm run --silent demo

test: setup
	@npm run --silent check
	@npm run --silent test

check: setup
	@npm run --silent check

bench: setup
	@npm run --silent bench

build: setup
	@npm run --silent build

setup: node_modules/.package-lock.json
	@node_modules/.bin/node scripts/setup-xgboost.ts --optional

# npm writes this file at the end of an install, so an interrupted one is done again.
node_modules/.package-lock.json: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf node_modules dist coverage demo
