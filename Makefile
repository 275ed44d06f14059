# crimg: one Makefile. `make help` lists the targets.
# MODE=release|debug|asan|cov chooses the build; each mode has its own folder under build/.

VERSION  := 0.1.0
MODE     ?= release
CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
prefix   ?= /usr/local
bindir   ?= $(prefix)/bin
libdir   ?= $(prefix)/lib
mandir   ?= $(prefix)/share/man
incdir   ?= $(prefix)/include
DESTDIR  ?=
JOBS     ?= $(shell nproc)
Q        := $(if $(V),,@)

B        := $(if $(filter release,$(MODE)),build,build/$(MODE))

WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual \
            -Wcast-align -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 \
            -Wnull-dereference $(if $(CI),-Werror)
PACKAGES := jansson libprotobuf-c libzstd libxxhash liblz4 libdw libelf
HEADERS  := libarchive capstone # loaded when they are needed: format/library_load.h
SAN      := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_release := -O2 -g -DNDEBUG
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g $(SAN)
FLAGS_afl     := -O1 -g
FLAGS_fuzz    := -O1 -g $(SAN) -fsanitize=fuzzer-no-link
FLAGS_cov     := -O0 -g --coverage
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCRIMG_VERSION=\"$(VERSION)\" -I. -I$(B)/gen
CFLAGS   ?=
ALL_CFLAGS = -std=c17 -fPIC -pthread $(FLAGS_$(MODE)) $(WARN) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(filter -fsanitize=address% --coverage,$(FLAGS_$(MODE))) $(LDFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) $(HEADERS) 2>/dev/null)
LDLIBS    = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

LIB_DIRS := convert diff format inspect producer readers report validate writers
LIB_SRC  := $(sort $(wildcard $(LIB_DIRS:=/*.c)))
GEN_C    := $(patsubst %,$(B)/gen/format/%.pb-c.c,criu crimg)
GEN_H    := $(GEN_C:.c=.h)
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o) $(GEN_C:.c=.o) $(B)/report/page_data.o
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TEST_BIN := $(TEST_SRC:tests/%.c=$(B)/tests/%)

ifeq ($(shell command -v protoc-c 2>/dev/null),)
$(info packages are missing: `make deps` installs them)
endif

.DELETE_ON_ERROR:
.PHONY: all help deps demo check check-vm bench fuzz fuzz-afl fuzz-replay install clean format tidy tests lib

all: $(B)/crimg $(B)/libcrimg.a $(B)/libcrimg.so

$(B)/gen/format/%.pb-c.c $(B)/gen/format/%.pb-c.h: format/%.proto
	@mkdir -p $(B)/gen
	@echo '  GEN $@'
	$(Q)protoc-c --c_out=$(B)/gen $<

# Generated code is not ours to warn about.
$(B)/gen/%.o: $(B)/gen/%.c
	@echo '  CC $@'
	$(Q)$(CC) -std=c17 -fPIC $(FLAGS_$(MODE)) -w $(CPPFLAGS) -c -o $@ $<

$(B)/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	@echo '  CC $@'
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The page of reports, which stands in the program as bytes.
PAGE_SRC := report/make_page.sh $(wildcard report/page/*)

$(B)/gen/report/page_top.html $(B)/gen/report/page_end.html &: $(PAGE_SRC)
	@mkdir -p $(B)/gen/report
	@echo '  GEN $(B)/gen/report/page_top.html'
	$(Q)report/make_page.sh report/page $(B)/gen/report/page_top.html $(B)/gen/report/page_end.html

$(B)/report/page_data.o: report/page_data.S $(B)/gen/report/page_top.html $(B)/gen/report/page_end.html
	@mkdir -p $(@D)
	@echo '  AS $@'
	$(Q)$(CC) -I$(B)/gen -c -o $@ $<

$(B)/libcrimg.a: $(LIB_OBJ)
	@rm -f $@
	@echo '  AR $@'
	$(Q)ar rcs $@ $^

$(B)/libcrimg.so: $(LIB_OBJ)
	@echo '  LD $@'
	$(Q)$(CC) -shared -Wl,-soname,libcrimg.so.0 $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/crimg: $(B)/crimg.o $(B)/libcrimg.a
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/tests/%: $(B)/tests/%.o $(B)/libcrimg.a
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcunit

help:
	@echo 'make            build/crimg, build/libcrimg.a, build/libcrimg.so (MODE=release|debug|asan|cov, V=1)'
	@echo 'make deps       installs the Debian packages that building and testing need'
	@echo 'make demo       sets up everything, then opens, moves, compares, takes and restarts checkpoints'
	@echo 'make check      sets up everything, then runs all tests'
	@echo 'make check-vm   restores images with an old CRIU in a virtual machine (installs qemu)'
	@echo 'make bench      prints speed and memory as ratios to cp and crit'
	@echo 'make fuzz       a minute of each fuzz target with libFuzzer (SECONDS_EACH=60); fuzz-afl: with AFL++'
	@echo 'make install    to DESTDIR/prefix; with CRIT=1 also as crit'
	@echo 'make clean, make format, make tidy'

deps:
	@tests/deps.sh

# What needs packages runs in a second make, which finds them.
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@samples/demo.sh $(B)/crimg samples

check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=release all
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=asan all tests fuzz-replay
	@tests/run.sh build build/asan

check-vm: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tests/vm.sh $(B)/crimg samples

bench: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all $(B)/bench/measure
	@bench/run.sh $(B)

tests: $(TEST_BIN) $(B)/tests/damage

# The suite of stores makes archives itself.
$(B)/tests/test_store: LDLIBS += $(shell pkg-config --libs libarchive 2>/dev/null)

# The suite that denies allocations stands between our objects and the allocator.
$(B)/tests/test_nomem: LDFLAGS += $(foreach f,malloc calloc aligned_alloc realloc strdup strndup asprintf,-Wl,--wrap=$(f))

# The suite that dies at every step stands between our objects and what they do to other tasks.
$(B)/tests/test_remote: LDFLAGS += $(foreach f,ptrace waitpid process_vm_readv process_vm_writev,-Wl,--wrap=$(f))

# Fuzz targets, three ways: replayed over a corpus, with libFuzzer, with AFL++.
FUZZ_TARGETS := $(patsubst fuzz/fuzz_%.c,%,$(sort $(wildcard fuzz/fuzz_*.c)))
FUZZ_COMMON  := $(addprefix $(B)/fuzz/,harness.o members.o output_mem.o carried_claims.o)
SECONDS_EACH ?= 60

fuzz-replay: $(FUZZ_TARGETS:%=$(B)/fuzz/replay_%)

$(B)/fuzz/replay_%: $(B)/fuzz/fuzz_%.o $(B)/fuzz/replay.o $(FUZZ_COMMON) $(B)/libcrimg.a
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

fuzz: deps
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=fuzz CC=clang $(FUZZ_TARGETS:%=build/fuzz/fuzz/lib_%)
	@fuzz/run.sh build/fuzz $(SECONDS_EACH) samples

# AFL++ takes the same targets through its own driver.
fuzz-afl: deps
	@command -v afl-clang-fast >/dev/null || apt-get install -y afl++ >/dev/null
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=afl CC=afl-clang-fast $(FUZZ_TARGETS:%=build/afl/fuzz/lib_%)
	@fuzz/run_afl.sh build/afl $(SECONDS_EACH) samples

$(B)/fuzz/lib_%: $(B)/fuzz/fuzz_%.o $(FUZZ_COMMON) $(B)/libcrimg.a
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$(B)/bench/measure: $(B)/bench/measure.o
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir) $(DESTDIR)$(mandir)/man1 \
		$(DESTDIR)$(incdir)/crimg/format
	install -m 755 $(B)/crimg $(DESTDIR)$(bindir)/crimg
	install -m 644 $(B)/libcrimg.a $(DESTDIR)$(libdir)/libcrimg.a
	install -m 755 $(B)/libcrimg.so $(DESTDIR)$(libdir)/libcrimg.so.0
	ln -sf libcrimg.so.0 $(DESTDIR)$(libdir)/libcrimg.so
	install -m 644 format/*.h format/kinds.def $(GEN_H) $(DESTDIR)$(incdir)/crimg/format
	install -m 644 man/*.1 $(DESTDIR)$(mandir)/man1
ifneq ($(CRIT),)
	ln -sf crimg $(DESTDIR)$(bindir)/crit
endif

format:
	clang-format -i $(LIB_SRC) crimg.c $(wildcard */*.h)

tidy: $(GEN_H)
	clang-tidy --quiet $(LIB_SRC) crimg.c -- -std=c17 $(CPPFLAGS) $(PKG_CFLAGS)

lib: $(B)/libcrimg.a
clean:
	rm -rf build

.SECONDARY:

-include $(LIB_OBJ:.o=.d) $(B)/crimg.d $(TEST_BIN:=.d) $(wildcard $(B)/fuzz/*.d)
