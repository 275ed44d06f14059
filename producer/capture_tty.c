// Pseudo-terminals: both ends, what the terminal is set to, whose it is, and what waits in it.
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/capture.h"
#include "producer/devices.h"
#include "producer/tty_queue.h"

// <sys/ioctl.h> and <asm/termbits.h> cannot be had together with all C libraries.
int ioctl(int fd, unsigned long request, ...);
#include <asm/ioctls.h>

#define PER_MAJOR 256u

struct window {
	unsigned short rows, columns, x, y;
};

static bool is_master(const struct crimg_open_file *f)
{
	return crimg_is_pty_master(f->rdev);
}

// The number of the pair.
static int read_index(const struct crimg_open_file *f, uint32_t *index, struct crimg_err *err)
{
	unsigned number = (major(f->rdev) - CRIMG_PTY_SLAVE_MAJOR) * PER_MAJOR + minor(f->rdev);
	if (is_master(f) && ioctl(f->ours, TIOCGPTN, &number) < 0)
		return crimg_fail_sys(err, errno, f->link, "a terminal has no number");
	*index = number;
	return 0;
}

// CRIU's message has a word for each of 19 characters, and keeps them in the first 19 bytes of that.
static TermiosEntry *termios_of(struct crimg_capture *c, const struct termios2 *t, struct crimg_err *err)
{
	TermiosEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	uint8_t bytes[4 * NCCS] = {0};
	if (e == NULL)
		return NULL;
	termios_entry__init(e);
	e->c_iflag = t->c_iflag;
	e->c_oflag = t->c_oflag;
	e->c_cflag = t->c_cflag;
	e->c_lflag = t->c_lflag;
	e->c_line = t->c_line;
	e->c_ispeed = t->c_ispeed;
	e->c_ospeed = t->c_ospeed;
	e->c_cc = crimg_capture_alloc(c, NCCS * sizeof *e->c_cc, err);
	if (e->c_cc == NULL)
		return NULL;
	memcpy(bytes, t->c_cc, NCCS);
	for (size_t i = 0; i < NCCS; i++)
		e->c_cc[e->n_c_cc++] = crimg_get_u32(bytes + 4 * i);
	return e;
}

static int read_settings(struct crimg_capture *c, const struct crimg_open_file *f, TtyInfoEntry *e,
			 struct crimg_err *err)
{
	struct termios2 now, locked = { 0 };
	struct window w = {0};
	int flag = 0;
	if (ioctl(f->ours, TCGETS2, &now) < 0 || ioctl(f->ours, TIOCGLCKTRMIOS, &locked) < 0
	    || ioctl(f->ours, TIOCGWINSZ, &w) < 0)
		return crimg_fail_sys(err, errno, f->link, "a terminal's settings cannot be read");
	e->termios = termios_of(c, &now, err);
	e->termios_locked = termios_of(c, &locked, err);
	e->winsize = crimg_capture_alloc(c, sizeof *e->winsize, err);
	if (e->termios == NULL || e->termios_locked == NULL || e->winsize == NULL)
		return -1;
	winsize_entry__init(e->winsize);
	e->winsize->ws_row = w.rows;
	e->winsize->ws_col = w.columns;
	e->winsize->ws_xpixel = w.x;
	e->winsize->ws_ypixel = w.y;
	e->exclusive = ioctl(f->ours, TIOCGEXCL, &flag) == 0 && flag != 0;
	e->packet_mode = is_master(f) && ioctl(f->ours, TIOCGPKT, &flag) == 0 && flag != 0;
	e->locked = is_master(f) && ioctl(f->ours, TIOCGPTLCK, &flag) == 0 && flag != 0;
	return 0;
}

// The session that the pair controls, if a task of the tree is in that. /proc numbers terminals in the old
// form, too.
static int read_session(struct crimg_capture *c, uint32_t index, TtyInfoEntry *e, struct crimg_err *err)
{
	uint32_t number = (CRIMG_PTY_SLAVE_MAJOR + index / PER_MAJOR) << 8 | index % PER_MAJOR;
	for (size_t i = 0; i < c->tree.count; i++) {
		const struct crimg_live_task *t = &c->tree.tasks[i];
		const char *stat = crimg_capture_text(c, t->pid, "stat", err);
		if (stat == NULL)
			return -1;
		if (t->state == CRIMG_LIVE_ZOMBIE || crimg_stat_number(stat, 7) != number)
			continue;
		e->sid = (uint32_t)crimg_stat_number(stat, 6);
		e->pgrp = (uint32_t)crimg_stat_number(stat, 8);
		return 0;
	}
	return 0;
}

static int put_info(struct crimg_capture *c, const struct crimg_open_file *f, uint32_t id, uint32_t index,
		    struct crimg_err *err)
{
	TtyInfoEntry e = TTY_INFO_ENTRY__INIT;
	TtyPtyEntry pty = TTY_PTY_ENTRY__INIT;
	struct stat st;
	if (fstat(f->ours, &st) < 0)
		return crimg_fail_sys(err, errno, f->link, "cannot be looked at");
	e.id = id;
	e.type = TTY_TYPE__PTY;
	e.rdev = major(f->rdev) << 8 | minor(f->rdev);
	e.pty = &pty;
	pty.index = index;
	e.has_dev = e.has_uid = e.has_gid = true;
	e.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	e.uid = st.st_uid;
	e.gid = st.st_gid;
	if (read_settings(c, f, &e, err) < 0 || read_session(c, index, &e, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_TTY_INFO, 0, &e.base, err);
}

// Whether the terminal was told of already.
static int note(struct crimg_capture *c, uint32_t id, int ours, bool *fresh, struct crimg_err *err)
{
	void *array = c->ttys;
	*fresh = true;
	for (size_t i = 0; i < c->tty_count; i++)
		*fresh = *fresh && c->ttys[i].id != id;
	if (!*fresh)
		return 0;
	if (crimg_grow(&array, &c->tty_capacity, c->tty_count, sizeof *c->ttys, err) < 0)
		return -1;
	c->ttys = array;
	int fd = fcntl(ours, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return crimg_fail_sys(err, errno, NULL, "a second descriptor of a terminal");
	c->ttys[c->tty_count++] = (struct crimg_known_tty){ id, fd };
	return 0;
}

// CRIU's number of a terminal: that of the pair twice, and one more for the master.
int crimg_capture_pty(struct crimg_capture *c, const struct crimg_open_file *f, TtyFileEntry *e,
		      struct crimg_err *err)
{
	uint32_t index = 0;
	bool fresh;
	if (read_index(f, &index, err) < 0)
		return -1;
	e->id = f->id;
	e->flags = f->flags;
	e->tty_info_id = index << 1 | (is_master(f) ? 1 : 0);
	if (note(c, e->tty_info_id, f->ours, &fresh, err) < 0)
		return -1;
	return fresh ? put_info(c, f, e->tty_info_id, index, err) : 0;
}

static int put_queue(struct crimg_capture *c, uint32_t id, const struct crimg_buf *data, struct crimg_err *err)
{
	TtyDataEntry e = TTY_DATA_ENTRY__INIT;
	e.tty_id = id;
	e.data.data = data->data;
	e.data.len = data->length;
	return data->length == 0 ? 0 : crimg_shelf_put(&c->shelf, CRIMG_KIND_TTY_DATA, 0, &e.base, err);
}

static int put_queues(struct crimg_capture *c, uint32_t index, int master, struct crimg_err *err)
{
	struct crimg_tty_queues q = { CRIMG_BUF_INIT, CRIMG_BUF_INIT };
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (slave < 0)
		return crimg_fail_sys(err, errno, NULL, "the other end of /dev/pts/%u", index);
	int rc = crimg_tty_take(master, slave, &q, err);
	if (crimg_tty_put(master, slave, &q, err) < 0)
		rc = -1;
	close(slave);
	if (rc == 0)
		rc = put_queue(c, index << 1, &q.slave, err);
	if (rc == 0)
		rc = put_queue(c, index << 1 | 1, &q.master, err);
	crimg_buf_fini(&q.master);
	crimg_buf_fini(&q.slave);
	return rc;
}

int crimg_capture_tty_queues(struct crimg_capture *c, struct crimg_err *err)
{
	for (size_t i = 0; c->thorough && i < c->tty_count; i++)
		for (size_t k = 0; (c->ttys[i].id & 1) != 0 && k < c->tty_count; k++)
			if (c->ttys[k].id == (c->ttys[i].id & ~1u)
			    && put_queues(c, c->ttys[k].id >> 1, c->ttys[i].fd, err) < 0)
				return -1;
	return 0;
}
