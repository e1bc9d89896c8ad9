# What there is
default:
    @just --list --unsorted

# All that must hold before a change lands
ci:
    bash .ci/run

# All tests, against real back ends; arguments go to cargo test
test *args:
    scripts/test {{ args }}

# Run this many seeds of each shape of the simulation
simulate seeds='100000':
    SACKER_SEEDS={{ seeds }} cargo test --locked --test it -- simulation::promises_hold simulation::the_promises --nocapture

# Fuzz every target, or those that are named, for this number of seconds each
fuzz seconds='600' *targets:
    scripts/fuzz {{ seconds }} {{ targets }}

# Keep the few inputs that cover what all those found so far for a target do
fuzz-keep target:
    scripts/fuzz keep {{ target }}

# Fuzz the same few inputs as CI does
fuzz-check:
    scripts/fuzz check

# Compare the speed of sacker and its peers, and write docs/speed.md; or only some rows: see benches/run --help
bench *args:
    benches/run {{ args }}

# Format the code and the Terraform module
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml
    terraform fmt -recursive infra

# Lint, with and without the features, and the scripts
lint:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo clippy --locked --all-targets --manifest-path fuzz/Cargo.toml -- -D warnings
    scripts/check-scripts
    scripts/check-ci

# Compare the library's interface with that of a commit (cargo install --locked cargo-semver-checks)
semver baseline='HEAD~1':
    cargo semver-checks --baseline-rev {{ baseline }}

# Build the library's documentation
doc *args:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features {{ args }}

# Build the pages of docs/ as a book into target/site, and check its links
site:
    scripts/site

# Check licences, bans and sources of the dependencies
deny:
    cargo deny --all-features check licenses bans sources
    cargo deny --manifest-path fuzz/Cargo.toml --config fuzz/deny.toml --locked check licenses bans sources

# Check the dependencies for known vulnerabilities (fetches the database)
advisories:
    cargo deny --all-features check advisories

# Check the Terraform module
infra:
    scripts/check-infra

# Slow, stalling and dead links at full size, for three minutes
slow-links:
    SACKER_LONG_LINKS=1 cargo test --locked --all-features --test it -- transfers::

# Commands on 100,000 versions, 10,000 dead tags and 1,000,000 blobs, among writers: 6 GB of disk, and half an hour
large:
    SACKER_LARGE=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 scripts/backends run -- \
        cargo test --release --locked --all-features --test it -- large:: --nocapture --test-threads 1

# Run a command against a fresh pair of back ends
with-backends *command:
    scripts/backends run -- {{ command }}

# Mutate the pure code and see which mutants the tests let live (cargo install --locked cargo-mutants)
mutants *args:
    cargo mutants --in-place --test-tool cargo {{ args }}

# Measure the parts of a command inside the process
bench-parts *args:
    cargo bench --locked --features fuzzing --bench parts -- {{ args }}

# Time the migration of 10,000 versions: an import, and a copy to the back ends that --ledger and --store name
bench-migration *args: build
    SACKER="{{ justfile_directory() }}/target/release/sacker" benches/migration {{ args }}

# Time `status` over 10,000 packages, and its peak memory
bench-status *args: build
    SACKER="{{ justfile_directory() }}/target/release/sacker" benches/status {{ args }}

# Build the files of a release into dist/, and check them as those who install them use them
release *args:
    scripts/release {{ args }}
    scripts/check-release

# Build a release twice, in two folders, and compare its files
reproducible *args:
    scripts/reproducible {{ args }}

# The optimised binary
build:
    cargo build --release --locked
