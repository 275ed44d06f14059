// The terminal that crimg was started in: tasks that had one have this one. While crimg waits, it has the
// settings that theirs had, and their process group in front.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/restart_outside.h"
#include "producer/restart_ptys.h"

int crimg_restart_terminal(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd))
			return fd;
	return -1;
}

// The settings of the first terminal that a task has open; NULL: none has.
static const TermiosEntry *find_settings(struct crimg_restart *r)
{
	for (size_t i = 0; i < r->files.count; i++) {
		const struct crimg_file *file = &r->files.list[i];
		if (file->type != FD_TYPES__TTY || crimg_restart_has_master(r, file) || crimg_restart_inherited(r, file) != NULL)
			continue;
		const TtyFileEntry *tty = file->message;
		struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TTY_INFO);
		const TtyInfoEntry *info;
		while ((info = crimg_image_walk(r->image, &walk, NULL)) != NULL)
			if (info->id == tty->tty_info_id)
				return info->termios;
	}
	return NULL;
}

static void apply(const TermiosEntry *e, int fd, struct termios t)
{
	uint8_t word[4];
	t.c_iflag = e->c_iflag;
	t.c_oflag = e->c_oflag;
	t.c_cflag = e->c_cflag;
	t.c_lflag = e->c_lflag;
	// The control characters are packed into the first words.
	for (size_t i = 0; i < NCCS && i / 4 < e->n_c_cc && i < 19; i++) {
		crimg_put_u32(word, e->c_cc[i / 4]);
		t.c_cc[i] = word[i % 4];
	}
	(void)tcsetattr(fd, TCSANOW, &t);
}

void crimg_restart_lend_terminal(struct crimg_restart *r, struct crimg_lent_terminal *lent)
{
	const TermiosEntry *settings = find_settings(r);
	lent->fd = settings != NULL && r->options->wait ? crimg_restart_terminal() : -1;
	if (lent->fd < 0 || tcgetpgrp(lent->fd) != getpgrp() || tcgetattr(lent->fd, &lent->before) < 0) {
		lent->fd = -1;
		return;
	}
	apply(settings, lent->fd, lent->before);
	// A session of its own cannot have crimg's terminal in front.
	if (!crimg_restart_leads(&r->tasks.list[0]))
		(void)tcsetpgrp(lent->fd, getpgid(r->root));
}

void crimg_restart_take_terminal(const struct crimg_lent_terminal *lent)
{
	if (lent->fd < 0)
		return;
	signal(SIGTTOU, SIG_IGN); // crimg is in the background by now
	(void)tcsetpgrp(lent->fd, getpgrp());
	(void)tcsetattr(lent->fd, TCSADRAIN, &lent->before);
}
