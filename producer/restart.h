// The verb restart.
#ifndef CRIMG_PRODUCER_RESTART_H
#define CRIMG_PRODUCER_RESTART_H

int crimg_restart_main(int argc, char **argv);

#endif
