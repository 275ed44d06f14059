// Pseudo-terminals whose master a task has: a new pair with the old number where that is free, the settings of then,
// the session that it controlled, and what waited in it unread.
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/restart_ptys.h"
#include "producer/tty_queue.h"

// <sys/ioctl.h> and <asm/termbits.h> cannot be had together with all C libraries.
int ioctl(int fd, unsigned long request, ...);
#include <asm/ioctls.h>

#define LOWER_MAX 256 // pairs that are made, and dropped, until one has the number

static const TtyInfoEntry *info_of(struct crimg_restart *r, uint32_t id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_TTY_INFO, "id", id, NULL);
}

// CRIU numbers the ends of pair n 2n and, the master, 2n + 1.
static bool is_master(const TtyFileEntry *tty)
{
	return (tty->tty_info_id & 1) != 0;
}

static const TtyFileEntry *master_of(const struct crimg_restart *r, uint32_t index)
{
	for (size_t i = 0; i < r->files.count; i++) {
		const TtyFileEntry *tty = r->files.list[i].message;
		if (r->files.list[i].type == FD_TYPES__TTY && tty != NULL && tty->tty_info_id >> 1 == index
		    && is_master(tty))
			return tty;
	}
	return NULL;
}

bool crimg_restart_has_master(struct crimg_restart *r, const struct crimg_file *file)
{
	const TtyFileEntry *tty = file->message;
	if (file->type != FD_TYPES__TTY || tty == NULL)
		return false;
	const TtyInfoEntry *info = info_of(r, tty->tty_info_id);
	return info != NULL && info->type == TTY_TYPE__PTY && master_of(r, tty->tty_info_id >> 1) != NULL;
}

static const TtyDataEntry *data_of(struct crimg_restart *r, uint32_t id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_TTY_DATA, "tty_id", id, NULL);
}

static unsigned number_of(int master)
{
	unsigned number = UINT32_MAX;
	return ioctl(master, TIOCGPTN, &number) == 0 ? number : UINT32_MAX;
}

// The kernel gives the lowest that is free: lower ones are held until it is the turn of the one wanted.
static int open_numbered(uint32_t index)
{
	int held[LOWER_MAX], master = -1;
	size_t count = 0;
	while (count < LOWER_MAX) {
		master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		if (master < 0 || number_of(master) >= index)
			break;
		held[count++] = master;
	}
	if (count == LOWER_MAX)
		master = held[--count];
	while (count > 0)
		close(held[--count]);
	return master;
}

static struct termios2 settings_of(const TermiosEntry *e)
{
	struct termios2 t = { .c_iflag = e->c_iflag, .c_oflag = e->c_oflag, .c_cflag = e->c_cflag,
		             .c_lflag = e->c_lflag, .c_line = (cc_t)e->c_line,
		             .c_ispeed = e->c_ispeed, .c_ospeed = e->c_ospeed };
	uint8_t word[4];
	// The control characters are packed into the first words.
	for (size_t i = 0; i < NCCS && i / 4 < e->n_c_cc; i++) {
		crimg_put_u32(word, e->c_cc[i / 4]);
		t.c_cc[i] = word[i % 4];
	}
	return t;
}

// All through the master: to open the other end and close it again would be a hang-up.
static int set_up(int master, const TtyInfoEntry *info, const TtyInfoEntry *of_master)
{
	int locked = of_master != NULL && of_master->locked, packets = of_master != NULL && of_master->packet_mode;
	struct winsize {
		unsigned short rows, columns, x, y;
	} size = { 0, 0, 0, 0 };
	if (info->winsize != NULL)
		size = (struct winsize){ (unsigned short)info->winsize->ws_row, (unsigned short)info->winsize->ws_col,
			                 (unsigned short)info->winsize->ws_xpixel,
			                 (unsigned short)info->winsize->ws_ypixel };
	if (info->termios != NULL) {
		struct termios2 t = settings_of(info->termios);
		// CRIU tells no speeds, but those that the flags name.
		if (ioctl(master, t.c_ospeed != 0 ? TCSETS2 : TCSETS, &t) < 0)
			return -1;
	}
	if ((info->winsize != NULL && ioctl(master, TIOCSWINSZ, &size) < 0)
	    || (packets && ioctl(master, TIOCPKT, &packets) < 0))
		return -1;
	return ioctl(master, TIOCSPTLCK, &locked);
}

// What waited at both ends. The other end stays open until the tasks have theirs: closed, it would take all along.
static int fill(struct crimg_restart *r, uint32_t index, int master, struct crimg_err *err)
{
	const TtyDataEntry *typed = data_of(r, index << 1), *shown = data_of(r, index << 1 | 1);
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_PTY, .id = index, .more = 1 };
	struct crimg_tty_queues q = { CRIMG_BUF_INIT, CRIMG_BUF_INIT };
	if (typed == NULL && shown == NULL)
		return 0;
	handle.fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (handle.fd < 0)
		return crimg_fail_sys(err, errno, NULL, "the other end of pseudo-terminal %u", index);
	int slave = crimg_handles_add(&r->handles, handle, err), rc = slave < 0 ? -1 : 0;
	if (rc == 0 && typed != NULL)
		rc = crimg_buf_append(&q.slave, typed->data.data, typed->data.len, err);
	if (rc == 0 && shown != NULL)
		rc = crimg_buf_append(&q.master, shown->data.data, shown->data.len, err);
	if (rc == 0)
		rc = crimg_tty_put(master, slave, &q, err);
	crimg_buf_fini(&q.slave);
	crimg_buf_fini(&q.master);
	return rc;
}

// Makes the pair when it is not there yet. Its master, or -1.
static int master_handle(struct crimg_restart *r, uint32_t index, struct crimg_err *err)
{
	struct crimg_handle handle = { .sort = CRIMG_HANDLE_PTY, .id = index };
	int fd = crimg_handles_find(&r->handles, handle.sort, index, 0);
	const TtyInfoEntry *master = info_of(r, index << 1 | 1), *slave = info_of(r, index << 1);
	if (fd >= 0)
		return fd;
	handle.fd = open_numbered(index);
	if (handle.fd < 0)
		return crimg_fail_sys(err, errno, "/dev/ptmx", "a pseudo-terminal");
	if (number_of(handle.fd) != index)
		crimg_lines_add(&r->notes, "pseudo-terminal /dev/pts/%u is /dev/pts/%u now: its number is taken", index,
		                number_of(handle.fd));
	if (set_up(handle.fd, slave != NULL ? slave : master, master) < 0) {
		crimg_fail_sys(err, errno, "/dev/ptmx", "the settings of pseudo-terminal %u", index);
		close(handle.fd);
		return -1;
	}
	fd = crimg_handles_add(&r->handles, handle, err);
	return fd >= 0 && fill(r, index, fd, err) < 0 ? -1 : fd;
}

// The other end; its lock keeps only those out that come by its name.
static int open_slave(int master, int flags)
{
	return ioctl(master, TIOCGPTPEER, (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_ASYNC)) | O_NOCTTY);
}

int crimg_restart_open_pty(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const TtyFileEntry *tty = file->message;
	const TtyInfoEntry *info = info_of(r, tty->tty_info_id);
	uint32_t index = tty->tty_info_id >> 1;
	int master = master_handle(r, index, err), flags = (int)crimg_file_flags(file);
	if (master < 0)
		return -1;
	int fd = is_master(tty) ? fcntl(master, F_DUPFD_CLOEXEC, 0) : open_slave(master, flags);
	if (fd < 0)
		return crimg_fail_sys(err, errno, NULL, "an end of pseudo-terminal %u", index);
	if (is_master(tty) && (flags & O_NONBLOCK) != 0)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!is_master(tty) && info != NULL && info->has_uid && info->has_gid)
		(void)fchown(fd, info->uid, info->gid); // who may open it by its name
	return fd;
}

// The pair that session controls, if its master is among the files; false: none.
static bool controlled_by(struct crimg_restart *r, uint32_t session, uint32_t *index, const TtyInfoEntry **info)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TTY_INFO);
	const TtyInfoEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, NULL)) != NULL)
		if (e->type == TTY_TYPE__PTY && e->sid == session && session != 0
		    && crimg_handles_find(&r->handles, CRIMG_HANDLE_PTY, e->id >> 1, 0) >= 0) {
			*index = e->id >> 1;
			*info = e;
			return true;
		}
	return false;
}

int crimg_restart_control(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	const TtyInfoEntry *info;
	uint32_t index;
	if (a->task->sid != a->task->pid || !controlled_by(r, a->task->sid, &index, &info))
		return 0;
	int master = crimg_handles_find(&r->handles, CRIMG_HANDLE_PTY, index, 0);
	struct crimg_call call = { .what = "opening its terminal", .number = SYS_ioctl,
		                   .args = { (uint64_t)master, TIOCGPTPEER, O_RDWR } };
	int64_t fd = 0;
	// By its opening, without O_NOCTTY, it becomes the terminal of the session.
	if (crimg_puppet_try(p, call, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return crimg_puppet_fail(p, &call, fd, err);
	if (CRIMG_DO(p, err, "having a terminal", NULL, SYS_ioctl, (uint64_t)fd, TIOCSCTTY, 0) < 0
	    || CRIMG_DO(p, err, "closing", NULL, SYS_close, (uint64_t)fd) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

int crimg_restart_foreground(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	const TtyInfoEntry *info;
	uint32_t index;
	if (a->task->sid != a->task->pid || !controlled_by(r, a->task->sid, &index, &info) || info->pgrp == 0)
		return 0;
	int master = crimg_handles_find(&r->handles, CRIMG_HANDLE_PTY, index, 0);
	int32_t group = (int32_t)info->pgrp;
	struct crimg_call call = { .what = "opening its terminal", .number = SYS_ioctl,
		                   .args = { (uint64_t)master, TIOCGPTPEER, O_RDWR | O_NOCTTY } };
	int64_t fd = 0;
	if (crimg_puppet_try(p, call, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return crimg_puppet_fail(p, &call, fd, err);
	call = (struct crimg_call){ .what = "the group in front of its terminal", .number = SYS_ioctl,
		                    .args = { (uint64_t)fd, TIOCSPGRP } };
	call.args[2] = crimg_puppet_lend(p, &group, sizeof group);
	int64_t ignored; // a group that has ended since cannot be put in front
	if (crimg_puppet_try(p, call, &ignored, err) < 0
	    || CRIMG_DO(p, err, "closing", NULL, SYS_close, (uint64_t)fd) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// What keeps others out, last: all that belong there are in.
void crimg_restart_seal_ptys(struct crimg_restart *r)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TTY_INFO);
	const TtyInfoEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, NULL)) != NULL) {
		int master = e->type != TTY_TYPE__PTY || (e->id & 1) != 0
			? -1 : crimg_handles_find(&r->handles, CRIMG_HANDLE_PTY, e->id >> 1, 0);
		if (master < 0)
			continue;
		struct termios2 locked = e->termios_locked != NULL ? settings_of(e->termios_locked)
			: (struct termios2){ 0 };
		int fd = e->exclusive ? open_slave(master, O_RDWR) : -1;
		if ((e->exclusive && (fd < 0 || ioctl(fd, TIOCEXCL) < 0))
		    || ((locked.c_iflag | locked.c_oflag | locked.c_cflag | locked.c_lflag) != 0
		        && ioctl(master, TIOCSLCKTRMIOS, &locked) < 0))
			crimg_lines_add(&r->notes, "pseudo-terminal %u: who may open or set it is not as it was: %s",
			                e->id >> 1, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}
