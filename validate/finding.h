// What can be wrong with an image: the table of every finding, and the list of those that were made.
// A finding is not an error: the input is wrong, and looking goes on. Knows codes and places; knows no
// passes and no output.
#ifndef CRIMG_VALIDATE_FINDING_H
#define CRIMG_VALIDATE_FINDING_H

#include "format/err.h"

enum crimg_severity {
	CRIMG_NOTE,    // worth knowing
	CRIMG_WARNING, // may not restore, or loses state
	CRIMG_ERROR,   // will not restore, or restores something else
};

enum crimg_finding_id {
#define F(code, name, severity, title, advice) CRIMG_F_##name,
#include "validate/findings.def"
#undef F
	CRIMG_F_COUNT
};

struct crimg_finding_info {
	unsigned code;        // 412 is CI-0412
	const char *name;     // "IP_KERNEL"
	enum crimg_severity severity;
	const char *title;    // one phrase
	const char *advice;   // one or two sentences
};

extern const struct crimg_finding_info crimg_finding_table[CRIMG_F_COUNT];

const char *crimg_severity_word(enum crimg_severity severity); // "error"

#define CRIMG_FIELD_PATH_MAX 96

// Where it is. Texts live as long as the image.
struct crimg_place {
	const char *file;     // NULL: the image as a whole
	const char *object;   // name of the object, also within a stream: "core-12.img"; NULL: unknown, or none
	uint64_t offset;      // bytes, of the entry or of the field; CRIMG_NO_OFFSET: none
	char field[CRIMG_FIELD_PATH_MAX]; // "thread_info.gpregs.ip", "vmas[3].start"; "" for none
};

struct crimg_finding {
	enum crimg_finding_id id;
	struct crimg_place place;
	char *text;           // owned: found and wanted
};

struct crimg_findings {
	struct crimg_finding *list; // in the order in which they were made
	size_t count, capacity;
	uint64_t of[CRIMG_F_COUNT]; // how many of each, kept or not
	uint64_t of_severity[3];
	struct crimg_err fault;     // why some may be missing: memory
};

#define CRIMG_MAX_FINDINGS 65536u // kept; more are counted

void crimg_findings_add(struct crimg_findings *findings, enum crimg_finding_id id,
                        const struct crimg_place *place, const char *fmt, ...)
	CRIMG_PRINTF(4, 5);
void crimg_findings_fini(struct crimg_findings *findings);

#endif
