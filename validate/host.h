// Could this machine restore the image now? One part a function; each answer is a finding. Reads this machine's /proc,
// /sys and files; changes nothing.
#ifndef CRIMG_VALIDATE_HOST_H
#define CRIMG_VALIDATE_HOST_H

#include "validate/checker.h"

void crimg_host_cpu(struct crimg_checker *c);
void crimg_host_files(struct crimg_checker *c);   // mapped and open files
void crimg_host_numbers(struct crimg_checker *c); // pids and ports that must be free
void crimg_host_kernel(struct crimg_checker *c);  // what the kernel must have, and this process may do

// True when the tasks live in the outside's namespace of this kind ("mnt", "net", "pid"): then its files, ports, numbers
// are this machine's.
bool crimg_host_shares(const struct crimg_checker *c, const char *word);

#endif
