// Has a terminal, with settings of its own, as one of a shell's jobs. After a restart the terminal is another
// one, with the same settings, and the job is in front.
#include "prove.h"

#include <termios.h>

int main(void)
{
	struct termios t;
	PROVE(tcgetattr(0, &t) == 0);
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	t.c_cc[VMIN] = 7;
	PROVE(tcsetattr(0, TCSANOW, &t) == 0);
	FILE *f = fopen("out", "w");
	PROVE(f != NULL && fputs("ready\n", f) >= 0 && fclose(f) == 0);
	wait_for_go();
	PROVE(isatty(0) && isatty(1) && isatty(2) && tcgetpgrp(0) == getpgrp());
	PROVE(tcgetattr(0, &t) == 0 && (t.c_lflag & (ECHO | ICANON)) == 0 && t.c_cc[VMIN] == 7);
	PROVE(write(1, "in front\n", 9) == 9);
	return 0;
}
