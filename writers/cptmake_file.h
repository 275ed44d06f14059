// Open files and their inodes, as the sections of both, and the directories of tasks, write them.
#ifndef CRIMG_WRITERS_CPTMAKE_FILE_H
#define CRIMG_WRITERS_CPTMAKE_FILE_H

#include "writers/cptmake.h"

// A FILE and its name.
struct cptmake_file {
	const char *path;
	uint32_t flags;  // of open()
	uint32_t mode;   // of its inode
	uint32_t lflags; // CRIMG_CPT_LFLAG_*
	uint64_t inode;  // its key; 0: none
	uint64_t pos;
	bool has_private;
	uint64_t private; // what files of its kind keep there
};

// Begins the object and writes the name; what the file is besides follows. f tells its owner and mount; NULL:
// it has none.
CRIMG_MUST_CHECK int cptmake_begin_file(struct cptmake *k, const struct cptmake_file *what,
					const struct crimg_file *f, struct cptmake_mark *mark,
					struct crimg_err *err);
// The key of the inode that a file's is written as, 0: none.
uint64_t cptmake_inode_key(const struct crimg_file *f);
// The number of a device that is known by its name, else 0.
uint32_t cptmake_device(const char *path);

#endif
