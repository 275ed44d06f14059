// The verb `crimg validate`.
#ifndef CRIMG_VALIDATE_VALIDATE_H
#define CRIMG_VALIDATE_VALIDATE_H

// Exit code: 0 no errors found (warnings and notes may be), 1 errors, 2 trouble.
int crimg_validate_main(int argc, char **argv);

#endif
