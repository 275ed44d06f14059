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

B        := $(if $(filter release,$(MODE)),build,build/$(MODE))

WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual \
            -Wcast-align -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 \
            -Wnull-dereference $(if $(CI),-Werror)
PACKAGES := libarchive jansson libprotobuf-c libzstd libxxhash liblz4
SAN      := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_release := -O2 -g -DNDEBUG
FLAGS_debug   := -O0 -g3
FLAGS_asan    := -O1 -g $(SAN)
FLAGS_cov     := -O0 -g --coverage
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCRIMG_VERSION=\"$(VERSION)\" -I. -I$(B)/gen
CFLAGS   ?=
ALL_CFLAGS = -std=c17 -fPIC -pthread $(FLAGS_$(MODE)) $(WARN) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(filter -fsanitize% --coverage,$(FLAGS_$(MODE))) $(LDFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LDLIBS    = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

LIB_DIRS := convert format inspect readers writers
LIB_SRC  := $(sort $(wildcard $(LIB_DIRS:=/*.c)))
GEN_C    := $(B)/gen/format/criu.pb-c.c
GEN_H    := $(GEN_C:.c=.h)
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o) $(GEN_C:.c=.o)
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TEST_BIN := $(TEST_SRC:tests/%.c=$(B)/tests/%)

.DELETE_ON_ERROR:
.PHONY: all help deps demo check check-vm bench fuzz install clean format tidy walls test lib

all: $(B)/crimg $(B)/libcrimg.a $(B)/libcrimg.so

$(B)/gen/format/%.pb-c.c $(B)/gen/format/%.pb-c.h: format/%.proto
	@mkdir -p $(B)/gen
	protoc-c --c_out=$(B)/gen $<

# Generated code is not ours to warn about.
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) -std=c17 -fPIC $(FLAGS_$(MODE)) -w $(CPPFLAGS) -c -o $@ $<

$(B)/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libcrimg.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/libcrimg.so: $(LIB_OBJ)
	$(CC) -shared -Wl,-soname,libcrimg.so.0 $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/crimg: $(B)/crimg.o $(B)/libcrimg.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/tests/%: $(B)/tests/%.o $(B)/libcrimg.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcunit

lib: $(B)/libcrimg.a
clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(B)/crimg.d $(TEST_BIN:=.d)
