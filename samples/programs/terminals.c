// A pair of ends of a pseudo-terminal, with settings and a size, and a child whose session it controls.
#include "prove.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>

static volatile int *here;

static void in_session(const char *slave)
{
	PROVE(setsid() == getpid());
	int fd = open(slave, O_RDWR);
	PROVE(fd >= 0 && tcgetpgrp(fd) == getpid());
	*here = 1;
	wait_for_go();
	PROVE(tcgetsid(fd) == getpid() && tcgetpgrp(fd) == getpid());
	_exit(0);
}

int main(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 }, found;
	struct termios t;
	char text[16] = "";
	int master = posix_openpt(O_RDWR | O_NOCTTY), status;
	PROVE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	char *slave = ptsname(master);
	int fd = open(slave, O_RDWR | O_NOCTTY);
	PROVE(fd >= 0 && ioctl(fd, TIOCSWINSZ, &size) == 0 && tcgetattr(fd, &t) == 0);
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	t.c_cc[VINTR] = 7;
	PROVE(tcsetattr(fd, TCSANOW, &t) == 0);
	here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0)
		in_session(slave);
	while (*here == 0)
		usleep(1000);
	ready();
	wait_for_go();
	PROVE(ioctl(master, TIOCGWINSZ, &found) == 0 && found.ws_row == 33 && found.ws_col == 99);
	PROVE(tcgetattr(fd, &t) == 0 && (t.c_lflag & (ECHO | ICANON)) == 0 && t.c_cc[VINTR] == 7);
	PROVE(write(master, "typed", 5) == 5 && read(fd, text, 15) == 5 && strcmp(text, "typed") == 0);
	PROVE(write(fd, "shown", 5) == 5 && read(master, text, 15) == 5 && strcmp(text, "shown") == 0);
	PROVE(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}
