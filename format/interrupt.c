// Signals of the whole process.
#include "format/interrupt.h"

#include <signal.h>

void crimg_interrupt_catch(void (*on_signal)(int number))
{
	struct sigaction act = { .sa_handler = on_signal };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}
