# A thin front: what each of these does stands in the script or chore that it calls.
.PHONY: help demo test tools bench fuzz fmt lint

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

demo: ## See it work: a Git repository becomes live state (REPO=url DIR=path for your own)
	@tools/setup demo
	@PATH="$$HOME/.cargo/bin:$$PATH" cargo run --package windlass -- demo $(if $(REPO),--repo '$(REPO)') $(if $(DIR),--path '$(DIR)')

test: ## Check everything
	@tools/gate

tools: ## Build the original programs that we compare with
	@cargo xtask tools

bench: ## Measure, as ratios in one run
	@cargo build --release --package windlass && cargo run --release --package windlass-bench

fuzz: ## Feed every decoder with what nobody would send (INPUTS=100000 SEED=2)
	@WINDLASS_FUZZ_INPUTS='$(or $(INPUTS),10000)' WINDLASS_FUZZ_SEED='$(or $(SEED),1)' cargo test --package windlass-apiserver --test fuzz -- --nocapture
	@WINDLASS_FUZZ_INPUTS='$(or $(INPUTS),10000)' cargo test --package windlass-helm --test random_inputs

fmt: ## Format the sources
	@cargo fmt --all

lint: ## Complain about the sources
	@cargo clippy --workspace --all-targets -- -D warnings && cargo xtask tidy
