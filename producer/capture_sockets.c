// Options of a socket, into an image.
#include "producer/capture_sockets.h"

#include "producer/sockets.h"

int crimg_capture_socket_options(struct crimg_capture *c, const struct crimg_open_file *f, SkOptsEntry *opts,
				 SkMoreEntry *more, struct crimg_err *err)
{
	more->id = f->id;
	return crimg_socket_get_options(f->ours, f->link, &c->arena, opts, more, err);
}

int crimg_capture_socket_more(struct crimg_capture *c, const SkMoreEntry *more, struct crimg_err *err)
{
	if (more->n_option == 0 && more->peer == NULL && !more->has_peer_name && !more->has_error
	    && more->n_waiting == 0)
		return 0;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_SK_MORE, 0, &more->base, err);
}
