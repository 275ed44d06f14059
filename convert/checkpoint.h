// crimg checkpoint: an image of running processes.
#ifndef CRIMG_CONVERT_CHECKPOINT_H
#define CRIMG_CONVERT_CHECKPOINT_H

// argv[0] is "checkpoint". Returns the exit code: 0 done, 1 lossy without --allow-loss, 2 trouble.
int crimg_checkpoint_main(int argc, char **argv);

#endif
