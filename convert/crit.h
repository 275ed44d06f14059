// The command line of CRIU's crit: decode, encode, info, show, x. Prints what crit 4.2 prints.
#ifndef CRIMG_CONVERT_CRIT_H
#define CRIMG_CONVERT_CRIT_H

// argv[0] is the program or verb, argv[1] crit's command. Exit: 0 done, 1 trouble, 2 usage, as crit.
int crimg_crit_main(int argc, char **argv);

#endif
