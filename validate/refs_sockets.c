// Sockets: peers, packets in flight with the descriptors in them, and the states of TCP connections.
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "validate/numbered.h"

#define USK_EXTERN 1u // unix_sk_entry.uflags: the socket or its peer is outside

// A connection that nobody accepted yet has the listening socket as its peer, which has none.
static void check_peer(struct crimg_numbered *r, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message, *peer;
	const struct crimg_file *other = crimg_ref_find(r, CRIMG_REF_UNIX, sk->peer);
	struct crimg_place at;
	if (sk->peer == 0 || (sk->uflags & USK_EXTERN) != 0)
		return;
	if (!crimg_ref_use(r, CRIMG_REF_UNIX, sk->peer)) {
		at = crimg_place_opened(r->c, file, "peer");
		CRIMG_FIND(r->c, NO_PEER, &at, "unix socket %u is connected to socket %u, which is not in "
		           "the image", sk->ino, sk->peer);
		return;
	}
	peer = other != NULL ? other->message : NULL;
	if (peer == NULL || sk->type == SOCK_DGRAM || peer->peer == 0 || peer->peer == sk->ino)
		return;
	at = crimg_place_opened(r->c, file, "peer");
	CRIMG_FIND(r->c, NO_PEER, &at, "unix socket %u is connected to socket %u, which is connected to %u",
	           sk->ino, sk->peer, peer->peer);
}

// The sender's buffer holds what it sent until it is read: no more than that can be in the queue.
static void check_queue(struct crimg_numbered *r, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message;
	const struct crimg_file *sender = crimg_ref_find(r, CRIMG_REF_UNIX, sk->peer);
	if (sk->peer == 0 || sk->type == SOCK_DGRAM || sender == NULL || sender->message == NULL)
		return;
	uint32_t limit = ((const UnixSkEntry *)sender->message)->opts->so_sndbuf;
	if (file->queued_bytes <= limit)
		return;
	struct crimg_place at = crimg_place_opened(r->c, sender, "opts.so_sndbuf");
	CRIMG_FIND(r->c, QUEUE_SIZE, &at, "%" PRIu64 " bytes wait in unix socket %u, of which the buffer of "
	           "its peer holds %u", file->queued_bytes, sk->ino, limit);
}

static bool is_connected(const InetSkEntry *sk)
{
	return sk->type == SOCK_STREAM && sk->proto == IPPROTO_TCP && sk->state != TCP_LISTEN
	       && sk->state != TCP_CLOSE;
}

static void check_stream(struct crimg_numbered *r, const struct crimg_file *file, bool closed)
{
	const InetSkEntry *sk = file->message;
	if (crimg_ref_use(r, CRIMG_REF_STREAM, sk->ino) || closed || !is_connected(sk))
		return;
	struct crimg_place at = crimg_place_opened(r->c, file, "ino");
	CRIMG_FIND(r->c, NO_STREAM, &at, "socket %u is connected: tcp-stream-%x.img is missing", file->id,
	           sk->ino);
}

static void check_rights(struct crimg_numbered *r, const SkPacketEntry *packet)
{
	for (size_t i = 0; i < packet->n_scm; i++)
		for (size_t k = 0; k < packet->scm[i]->n_rights; k++) {
			uint32_t id = packet->scm[i]->rights[k];
			if (crimg_ref_use(r, CRIMG_REF_FILE, id))
				continue;
			struct crimg_place at =
				crimg_place_message(r->c, packet, "scm[%zu].rights[%zu]", i, k);
			CRIMG_FIND(r->c, NO_FILE, &at, "file %u is on its way to socket %u, and not in the image",
			           id, packet->id_for);
		}
}

static void check_unix(struct crimg_numbered *r, const struct crimg_file *file)
{
	check_peer(r, file);
	check_queue(r, file);
}

void crimg_refs_sockets(struct crimg_numbered *r)
{
	const InventoryEntry *inventory = crimg_image_get(r->c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	bool closed = inventory != NULL && inventory->has_tcp_close && inventory->tcp_close;
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_SK_QUEUES);
	const SkPacketEntry *packet;
	for (size_t i = 0; i < r->c->files.count; i++) {
		const struct crimg_file *file = &r->c->files.list[i];
		if (file->type == FD_TYPES__UNIXSK && file->message != NULL)
			check_unix(r, file);
		if (file->type == FD_TYPES__INETSK && file->message != NULL)
			check_stream(r, file, closed);
	}
	while ((packet = crimg_image_walk(r->c->image, &walk, NULL)) != NULL)
		check_rights(r, packet);
}
