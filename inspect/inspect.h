// The verb `crimg inspect`: prints what is in an image.
#ifndef CRIMG_INSPECT_INSPECT_H
#define CRIMG_INSPECT_INSPECT_H

// argv[0] is the verb. Returns the exit code: 0 printed, 2 trouble (usage, unreadable, damaged or
// incomplete; what is readable was printed). The answer goes to standard output, trouble to standard
// error, one line.
int crimg_inspect_main(int argc, char **argv);

#endif
