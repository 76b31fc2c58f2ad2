# What a developer does by hand, each by one word. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup postgres demo test bench soak check book fmt clean

CARGO ?= cargo
SOAK_MINUTES ?= 60

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## add the WebAssembly target that mappers are built for (the others do this by themselves)
	@rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown

demo: setup ## build, start on 127.0.0.1:8080 with an empty database, post every partner's examples, keep serving
	$(CARGO) build --release --locked --package rollcall --package mapper-artifacts
	target/release/mapper-artifacts --out target/mappers
	target/release/rollcall demo

# Where a server may be, as `tests/cluster` looks for it.
POSTGRES = $(firstword $(wildcard $(ROLLCALL_TEST_POSTGRES_BIN)/initdb) $(shell command -v initdb) $(wildcard /usr/lib/postgresql/*/bin/initdb))

postgres: ## install PostgreSQL's server programs if there are none and this is Debian and root; no cluster is made
	@test -n "$(ROLLCALL_TEST_POSTGRES)$(POSTGRES)" || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo "install PostgreSQL 15 or later for the tests"; exit 1; }; \
		apt-get update && apt-get install -y --no-install-recommends postgresql-common && \
		sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf && \
		apt-get install -y --no-install-recommends postgresql; }

# What is drawn at random is drawn alike in every run, so that the same code gets the same verdict; `make soak` draws anew, and more.
test: setup postgres ## run every test: unit, property, conformance, hostile-mapper, architecture, end-to-end
	PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-20260101} $(CARGO) test --locked --workspace

bench: setup ## measure release builds against the Node peer and write the figures into BENCHMARKS.md
	cd tests/bench/peer && npm ci --silent
	$(CARGO) bench --locked --workspace --bench peer

soak: setup ## draw what properties are tested with anew; upgrade, remap and rebuild for long; kill servers, and what they stand on, for SOAK_MINUTES (60) minutes
	PROPTEST_CASES=5000 $(CARGO) test --locked --package rollcall-core --lib
	ROLLCALL_TEST_UPGRADES=100 ROLLCALL_TEST_DELIVERIES=10000 $(CARGO) test --locked --workspace --test e2e -- \
		upgrades:: remapping:: replaying::
	$(CARGO) bench --locked --package rollcall --bench soak -- --minutes $(SOAK_MINUTES)

check: setup ## what CI checks beside the tests: formatting, lints, descriptions, examples
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) build --locked --workspace --bins --examples
	target/debug/mapper-artifacts --out target/mappers
	target/debug/rollcall check
	target/debug/rollcall test

book: ## make pages of the book in docs/ (installs mdBook if it is not there)
	@command -v mdbook >/dev/null || $(CARGO) install --locked mdbook
	mdbook build --dest-dir $(CURDIR)/target/book docs
	@# Pages of other folders are pages of the book here, and what they lead to comes along.
	@cd target/book && sed -i -e 's#"\.\./mappers/README\.html#"mappers.html#' -e 's#"templates/README\.html#"templates.html#' \
		-e 's#"\.\./BENCHMARKS\.html#"benchmarks.html#' *.html
	@mkdir -p target/book/grafana target/book/prometheus
	@cp server/rollcall.example.yaml target/book && cp server/grafana/rollcall.json target/book/grafana && \
		cp server/prometheus/alerts.yaml target/book/prometheus

fmt: ## format the code
	$(CARGO) fmt

clean: ## remove everything that was built
	$(CARGO) clean
	rm -rf tests/bench/peer/node_modules
