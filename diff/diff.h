// The verb `crimg diff`.
#ifndef CRIMG_DIFF_DIFF_H
#define CRIMG_DIFF_DIFF_H

// argv[0] is "diff". Exit code: 0 the same, 1 they differ, 2 trouble.
int crimg_diff_main(int argc, char **argv);

#endif
