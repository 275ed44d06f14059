// The verb restart.
#ifndef CRIMG_PRODUCER_RESTART_H
#define CRIMG_PRODUCER_RESTART_H

// argv[0] is "restart". Returns the exit code: 0 they run, 1 with --wait: the root ended badly, 2
// trouble: nothing runs.
int crimg_restart_main(int argc, char **argv);
// The same for an image, without options. format NULL: it is found by looking.
int crimg_restart_image(const char *path, const char *format);

#endif
