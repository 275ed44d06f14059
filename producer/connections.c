// Reading, releasing and silencing connections.
#include "producer/connections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "format/search.h"
#include "format/spool.h"
#include "format/terminal.h"
#include "producer/connections_guard.h"
#include "producer/remote.h"
#include "producer/tcp_repair.h"

#define RUN_ID_IN_NAME 21 // CRIU 4.2 cuts "inet CRIU-" and the run id behind 31 characters

void crimg_connections_lock_name(const char *run_id, char name[CRIMG_NETLOCK_NAME_BYTES])
{
	snprintf(name, CRIMG_NETLOCK_NAME_BYTES, "CRIU-%.*s", RUN_ID_IN_NAME, run_id);
}

// As uuid_generate() makes them: 122 bits are random.
static int choose_run_id(char out[CRIMG_RUN_ID_BYTES], struct crimg_err *err)
{
	uint8_t b[16];
	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		return crimg_fail_sys(err, errno, NULL, "no random number");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	size_t at = 0;
	for (size_t i = 0; i < sizeof b; i++)
		at += (size_t)snprintf(out + at, CRIMG_RUN_ID_BYTES - at,
				       i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	return 0;
}

static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); // one that is too low is told when it is hit
	}
}

static int explain_lock(int number, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "connections of TCP cannot be locked while they are taken (nf_tables: %s): "
			  "--network-lock skip goes without", strerror(number));
}

static int begin(struct crimg_connections *c, struct crimg_err *err)
{
	char name[CRIMG_NETLOCK_NAME_BYTES];
	struct crimg_err why = CRIMG_ERR_INIT;
	if (c->guard != 0)
		return 0;
	raise_limit();
	c->lock = (struct crimg_netlock)CRIMG_NETLOCK_INIT;
	if (choose_run_id(c->run_id, err) < 0 || crimg_connections_guard_start(&c->guard, &c->guard_pipe, err) < 0)
		return -1;
	c->queues = crimg_spool_file(crimg_tmpdir(), err);
	if (c->queues < 0)
		return -1;
	snprintf(name, sizeof name, "crimg-%.*s", (int)CRIMG_RUN_ID_BYTES - 1, c->run_id);
	if (!c->without_lock && crimg_netlock_open(&c->lock, name, true, &why) < 0)
		return explain_lock(why.sys_errno, err);
	return 0;
}

int crimg_connections_hold(struct crimg_connections *c, int fd, const struct crimg_inet *i, size_t *index,
			   struct crimg_err *err)
{
	void *array = c->list;
	if (begin(c, err) < 0 || crimg_grow(&array, &c->capacity, c->count, sizeof *c->list, err) < 0)
		return -1;
	c->list = array;
	struct crimg_held_connection *h = &c->list[c->count];
	*h = (struct crimg_held_connection){.ends = crimg_inet_connection(i), .ended = !crimg_inet_is_connection(i)};
	h->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (h->fd < 0)
		return crimg_fail_sys(err, errno, NULL, "a second descriptor of a connection: raise the limit on open "
				      "files (ulimit -n)");
	*index = c->count++;
	return c->lock.fd < 0 || h->ended ? 0 : crimg_netlock_add(&c->lock, &h->ends, 1, err);
}

int crimg_connections_read(struct crimg_connections *c, size_t index, const char *name, TcpStreamEntry *e,
			   uint32_t *state, uint64_t *offset, struct crimg_err *err)
{
	struct crimg_held_connection *h = &c->list[index];
	int fd = h->fd, reuse = crimg_tcp_reuse(fd);
	if (crimg_connections_guard_hold(c->guard_pipe, fd, reuse, err) < 0)
		return -1;
	int rc = crimg_tcp_repair_on(fd, name, err);
	if (rc == 0) {
		*offset = c->queues_bytes;
		rc = crimg_tcp_read(fd, name, e, state, c->queues, *offset, err);
		c->queues_bytes += (uint64_t)e->inq_len + e->outq_len;
		h->delicate = !h->ended && (*state != CRIMG_TCP_ESTABLISHED || e->unsq_len > 0);
		if (crimg_tcp_repair_off(fd) < 0 && rc == 0)
			rc = crimg_fail_sys(err, errno, name, "repair mode cannot be ended (TCP_REPAIR)");
		crimg_tcp_set_reuse(fd, reuse);
	}
	crimg_connections_guard_done(c->guard_pipe);
	return rc;
}

static int by_ends(const void *a, const void *b)
{
	const struct crimg_held_connection *x = a, *y = b;
	return crimg_connection_order(&x->ends, &y->ends);
}

static struct crimg_connection other_end(const struct crimg_connection *c)
{
	struct crimg_connection o = {.v6 = c->v6, .source_port = c->target_port, .target_port = c->source_port};
	memcpy(o.source, c->target, sizeof o.source);
	memcpy(o.target, c->source, sizeof o.target);
	return o;
}

bool crimg_connection_is_met(const struct crimg_connection *sorted, size_t count, const struct crimg_connection *c)
{
	struct crimg_connection o = other_end(c);
	size_t at = 0;
	CRIMG_COUNT_BEFORE(at, count, crimg_connection_order(&sorted[at], &o) < 0);
	return at < count && crimg_connection_order(&sorted[at], &o) == 0;
}

size_t crimg_connections_match(struct crimg_connections *c)
{
	size_t outside = 0;
	if (c->count > 0)
		qsort(c->list, c->count, sizeof *c->list, by_ends);
	for (size_t i = 0; i < c->count; i++) {
		struct crimg_connection o = other_end(&c->list[i].ends);
		size_t at = 0;
		CRIMG_COUNT_BEFORE(at, c->count, crimg_connection_order(&c->list[at].ends, &o) < 0);
		c->list[i].outside = !c->list[i].ended
				     && (at == c->count || crimg_connection_order(&c->list[at].ends, &o) != 0);
		outside += c->list[i].outside;
	}
	return outside;
}

static bool wants_lock(const struct crimg_held_connection *h)
{
	return h->outside || h->delicate;
}

bool crimg_connections_want_lock(const struct crimg_connections *c)
{
	for (size_t i = 0; !c->without_lock && i < c->count; i++)
		if (wants_lock(&c->list[i]))
			return true;
	return false;
}

void crimg_connections_release(struct crimg_connections *c)
{
	if (c->guard == 0)
		return;
	crimg_netlock_close(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		close(c->list[i].fd);
	free(c->list);
	crimg_connections_guard_dismiss(c->guard, c->guard_pipe);
	if (c->queues >= 0)
		close(c->queues);
	*c = (struct crimg_connections){.list = NULL};
}

static int lock_for_good(const struct crimg_connections *c, struct crimg_err *err)
{
	struct crimg_netlock lasting;
	char name[CRIMG_NETLOCK_NAME_BYTES];
	crimg_connections_lock_name(c->run_id, name);
	if (crimg_netlock_open(&lasting, name, false, err) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < c->count; i++)
		if (wants_lock(&c->list[i]))
			rc = crimg_netlock_add(&lasting, &c->list[i].ends, 1, err);
	crimg_netlock_close(&lasting);
	return rc;
}

// From here on all of them die if we do.
static void doom(const struct crimg_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		for (size_t k = 0; k < tree->tasks[i].count; k++)
			(void)ptrace(PTRACE_SETOPTIONS, tree->tasks[i].threads[k].tid, NULL,
				     (void *)(uintptr_t)(CRIMG_REMOTE_OPTIONS | PTRACE_O_EXITKILL));
}

static void spare(const struct crimg_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		for (size_t k = 0; k < tree->tasks[i].count; k++)
			(void)ptrace(PTRACE_SETOPTIONS, tree->tasks[i].threads[k].tid, NULL,
				     (void *)(uintptr_t)CRIMG_REMOTE_OPTIONS);
}

int crimg_connections_silence(struct crimg_connections *c, const struct crimg_tree *tree, struct crimg_err *err)
{
	bool there, lasting = crimg_connections_want_lock(c);
	size_t silent = 0;
	if (c->count == 0)
		return 0;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < c->count; i++)
		rc = c->list[i].ended ? 0
			: crimg_connections_guard_keep(c->guard_pipe, c->list[i].fd, tree->tasks[0].pid, err);
	if (rc == 0)
		doom(tree);
	if (rc == 0 && lasting)
		rc = lock_for_good(c, err);
	for (; rc == 0 && silent < c->count; silent++) // of what has ended nobody hears
		rc = c->list[silent].ended ? 0 : crimg_tcp_repair_on(c->list[silent].fd, NULL, err);
	if (rc == 0)
		return 0;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char name[CRIMG_NETLOCK_NAME_BYTES];
	for (size_t i = 0; i < silent; i++) // reuse is lost, the connection is not
		(void)crimg_tcp_repair_off(c->list[i].fd);
	crimg_connections_lock_name(c->run_id, name);
	if (lasting && crimg_netlock_remove(name, &there, &ignored) < 0)
		ignored.code = CRIMG_OK;
	spare(tree);
	crimg_connections_guard_unkeep(c->guard_pipe);
	return -1;
}
