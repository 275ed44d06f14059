// Options of a socket, from an image.
#include "producer/restart_sockets.h"

#include <stdio.h>

#include "producer/sockets.h"

const SkMoreEntry *crimg_restart_socket_more(struct crimg_restart *r, uint32_t id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_SK_MORE, "id", id, NULL);
}

int crimg_restart_socket_options(struct crimg_restart *r, const struct crimg_file *file, int fd,
				 const SkOptsEntry *opts, struct crimg_err *err)
{
	const char *lost = NULL;
	char name[32];
	snprintf(name, sizeof name, "file %u", file->id);
	if (crimg_socket_set_options(fd, name, opts, crimg_restart_socket_more(r, file->id), &lost, err) < 0)
		return -1;
	if (lost != NULL)
		crimg_lines_add(&r->notes, "file %u: a socket's option is not as it was, which only a privileged "
				"crimg can set: %s", file->id, lost);
	return 0;
}
