// Unix sockets that no image of ours can hold.
#include <sys/socket.h>

#include "producer/refuse_sockets.h"

int crimg_unix_refuse(const struct crimg_seen_sockets *s, struct crimg_err *err)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].family == AF_UNIX)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d: file descriptor %d is a socket", (int)s->list[i].pid,
					  s->list[i].fd);
	return 0;
}
