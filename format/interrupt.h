// How a verb that writes hears that it is to end. Knows signals; what they end, it does not.
#ifndef CRIMG_FORMAT_INTERRUPT_H
#define CRIMG_FORMAT_INTERRUPT_H

// SIGINT, SIGTERM and SIGHUP call on_signal, which may do what signal-safety(7) allows; SIG_DFL: they end the process. A
// closed pipe and a file size limit come back as errors of write(2): nothing half is left. Of the whole process, so for
// verbs only.
void crimg_interrupt_catch(void (*on_signal)(int number));

#endif
