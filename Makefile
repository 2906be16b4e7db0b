# A thin face of Meson: the targets that people type.
#
#   make            build
#   make test       everything that is a test; ends with "N passed, N failed"
#   make demo       two live upgrades under load (NAIVE=1, KILL=1: see README)
#   make fuzz       each fuzzer for 60 s        make bench    measurements
#   make long-kill, long-nodes, long-data, long-writes: tests of up to 20 minutes each
#   make mutants    breaks the source in many places and wants a test to notice each
#   make sim SEEDS=1000000 so many simulated runs, on all processors
#   make torture    every single thing goes wrong once, and in pairs: an hour
#   make tidy       the source rules alone      make install  into PREFIX (/usr/local)
#
# YES=1 lets test and demo install missing packages through sudo.

BUILD ?= build
PREFIX ?= /usr/local
export YES NAIVE KILL

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# The tests need cmocka, which a plain build must not ask for.
$(BUILD)/build.ninja:
	scripts/deps.sh build
	meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=$$(pkg-config --exists cmocka && \
		echo true || echo false)

test:
	scripts/deps.sh build run test
	tests/run

fuzz:
	scripts/deps.sh build run test
	tests/run --suite fuzz --fuzz-seconds 60

demo:
	scripts/deps.sh build run
	$(MAKE) all
	scripts/demo

bench: all
	meson test -C $(BUILD) --benchmark --verbose

long-kill long-nodes long-data long-writes: all
	scripts/deps.sh build run test
	tests/long/run $@ $(BUILD)

mutants: all
	scripts/mutants --build $(BUILD)

SEEDS ?= 10000
sim: all
	tests/sim/run $(BUILD)/tests/sim/sim_seeds $(SEEDS)
	$(BUILD)/tests/sim/sim_claims 100000

torture: all
	$(BUILD)/tests/torture/torture --whole 1/2 & first=$$!; \
	$(BUILD)/tests/torture/torture --whole 2/2 && wait $$first

tidy:
	tests/tidy/tidy.py

install: all
	meson install -C $(BUILD)

clean:
	rm -rf build build-asan build-tsan build-clang

.PHONY: all test fuzz demo bench mutants sim torture tidy install clean long-kill long-nodes long-data long-writes
