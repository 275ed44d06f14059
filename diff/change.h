// One difference between two images, as the engine tells it: where it is, what it is, both values. Knows
// nothing of how it is shown.
#ifndef CRIMG_DIFF_CHANGE_H
#define CRIMG_DIFF_CHANGE_H

#include "diff/pages.h"
#include "format/field_value.h"

// What a difference is about; the most important first.
enum crimg_diff_group {
	CRIMG_DIFF_PROCESSES,
	CRIMG_DIFF_CREDENTIALS,
	CRIMG_DIFF_THREADS,
	CRIMG_DIFF_MAPPINGS,
	CRIMG_DIFF_PAGES,
	CRIMG_DIFF_FILES,
	CRIMG_DIFF_SOCKETS,
	CRIMG_DIFF_SIGNALS,
	CRIMG_DIFF_TIMERS,
	CRIMG_DIFF_LIMITS,
	CRIMG_DIFF_REGISTERS,
	CRIMG_DIFF_SEGMENTS,   // shared memory
	CRIMG_DIFF_NAMESPACES,
	CRIMG_DIFF_MOUNTS,
	CRIMG_DIFF_CGROUPS,
	CRIMG_DIFF_IPC,
	CRIMG_DIFF_IMAGE,      // how the image was made, and all else
	CRIMG_DIFF_GROUPS
};

enum crimg_change_what {
	CRIMG_CHANGE_CHANGED,
	CRIMG_CHANGE_ADDED,
	CRIMG_CHANGE_GONE,
	CRIMG_CHANGE_GROWN,     // mappings
	CRIMG_CHANGE_SHRUNK,
	CRIMG_CHANGE_SPLIT,
	CRIMG_CHANGE_JOINED,
	CRIMG_CHANGE_MOVED,
	CRIMG_CHANGE_UNTOLD,    // one of the images, an ELF core, has no place for it
	CRIMG_CHANGES
};

enum crimg_value_kind {
	CRIMG_VALUE_NONE,       // not there
	CRIMG_VALUE_TEXT,
	CRIMG_VALUE_NUMBER,     // of a field, with its hint
	CRIMG_VALUE_HEX,        // a register, an address: number, and perhaps text beside it
	CRIMG_VALUE_BYTES,
	CRIMG_VALUE_MESSAGE,    // that came or went as a whole
};

struct crimg_value {
	enum crimg_value_kind kind;
	const char *text;
	uint64_t number;
	const ProtobufCFieldDescriptor *field;
	enum crimg_hint hint;
	const ProtobufCMessage *message;
	const uint8_t *data;
	size_t length;
};

#define CRIMG_NO_VALUE ((struct crimg_value){ .kind = CRIMG_VALUE_NONE })

// Tasks that are taken for the same one; one is NULL when the task is only in the other image.
struct crimg_thread_pair {
	const struct crimg_thread *thread[2];
};

struct crimg_task_pair {
	const struct crimg_task *task[2];
	struct crimg_thread_pair *threads; // of pairs that have both tasks: leaders first
	size_t thread_count;
};

// All texts are lent for the call and may hold any bytes of an image: whoever shows them makes them safe.
struct crimg_change {
	enum crimg_diff_group group;
	enum crimg_change_what what;
	bool folded;           // times and numbers that are made anew each time: no difference
	const struct crimg_task_pair *pair; // NULL: of no process
	const struct crimg_thread_pair *thread; // NULL: of the process as a whole
	const char *subject;   // "fd 4", "rbx", "7f10a000-7f10b000", "SIGUSR1"; NULL: the process (thread) itself
	const char *name;      // what that is: a path, "[heap]"; or NULL
	const char *field;     // which part of it, a dotted path; NULL: all of it
	struct crimg_value value[2];
};

// A range of pages that is not the same in both.
struct crimg_page_change {
	const struct crimg_task_pair *pair; // NULL: of a page map without task
	const struct crimg_space *space[2]; // of the pair
	const char *segment;   // name of the page map that is of no task: a segment, mostly; NULL for tasks
	struct crimg_map_name map[2];
	const struct crimg_pages_range *range;
};

struct crimg_diff_sink {
	// Changes come in the order in which they are best read: see crimg_diff_run().
	void (*change)(void *context, const struct crimg_change *change);
	void (*pages)(void *context, const struct crimg_page_change *change);
	void *context;
};

// "processes", …; "changed", …: the words of JSON.
const char *crimg_diff_group_word(enum crimg_diff_group group);
const char *crimg_change_word(enum crimg_change_what what);

#endif
