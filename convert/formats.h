// crimg formats: the drivers, and what each keeps and loses.
#ifndef CRIMG_CONVERT_FORMATS_H
#define CRIMG_CONVERT_FORMATS_H

// argv[0] is "formats". Returns the exit code.
int crimg_formats_main(int argc, char **argv);

#endif
