#include "format/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool crimg_color_known(const char *when)
{
	return strcmp(when, "auto") == 0 || strcmp(when, "always") == 0 || strcmp(when, "never") == 0;
}

bool crimg_color_wanted(const char *when)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool refused = (no_color != NULL && no_color[0] != '\0') || term == NULL
		|| strcmp(term, "dumb") == 0;
	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return !refused && isatty(STDOUT_FILENO) != 0;
}

unsigned crimg_terminal_width(void)
{
	struct winsize size;
	bool terminal = isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
	return terminal ? size.ws_col : 0;
}

const char *crimg_tmpdir(void)
{
	const char *tmpdir = getenv("TMPDIR");
	return tmpdir != NULL && tmpdir[0] != '\0' ? tmpdir : "/tmp";
}
