// The open files of an image by number: files.img since 3.4, one image per kind of file before.
// Knows messages; knows nothing of how they are shown.
#ifndef CRIMG_FORMAT_FILES_H
#define CRIMG_FORMAT_FILES_H

#include "format/tasks.h"

struct crimg_file {
	FdTypes type;
	uint32_t id;
	const void *message;       // RegFileEntry, PipeEntry, …: what type says
	const RegFileEntry
		*path; // of fifos, ttys: the file they were opened by; of REG: message; or NULL
	const RemapFilePathEntry *remap; // how a deleted or renamed file is kept; or NULL
	uint64_t queued_bytes;     // in the pipe, or waiting to be read from the socket
	uint64_t unsent_bytes;     // TCP: not yet acknowledged by the peer
	size_t queued_packets;     // unix and datagram sockets
};

struct crimg_files {
	struct crimg_file *list;   // sorted by id
	size_t count;
};

// Loads all files, old and new; they live as long as the image. With damage, *out holds what was
// readable and -1 is returned with err filled.
CRIMG_MUST_CHECK int crimg_files_load(struct crimg_image *image, struct crimg_files *out,
                                      struct crimg_err *err);
void crimg_files_fini(struct crimg_files *files);
// NULL when there is none.
const struct crimg_file *crimg_files_find(const struct crimg_files *files, uint32_t id);

// The message type of a file's message; NULL for types without one.
const ProtobufCMessageDescriptor *crimg_file_message(FdTypes type);
// Open flags, position, fown; 0 and NULL when files of this type have none.
uint32_t crimg_file_flags(const struct crimg_file *file);
const FownEntry *crimg_file_owner(const struct crimg_file *file);
// True with *pos when files of this type have a position.
bool crimg_file_position(const struct crimg_file *file, uint64_t *pos);
// The socket's inode, 0 for others.
uint32_t crimg_file_inode(const struct crimg_file *file);

// epoll targets, inotify watches and fanotify marks: in the file's message, or (before 3.4) in an
// image of their own. EventpollTfdEntry, InotifyWdEntry, FanotifyMarkEntry; empty for other types.
CRIMG_MUST_CHECK int crimg_file_watches(struct crimg_image *image, const struct crimg_file *file,
                                        struct crimg_list *out, struct crimg_err *err);

#endif
