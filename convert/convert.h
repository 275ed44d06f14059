// crimg convert: from any format to any other.
#ifndef CRIMG_CONVERT_CONVERT_H
#define CRIMG_CONVERT_CONVERT_H

// argv[0] is "convert". Returns the exit code: 0 done, 1 lossy without --allow-loss, 2 trouble.
int crimg_convert_main(int argc, char **argv);

#endif
