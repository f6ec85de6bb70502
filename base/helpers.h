/* Our programs that other programs of ours run: davit-image, davit-fetch, davit-scope. */
#ifndef DAVIT_BASE_HELPERS_H
#define DAVIT_BASE_HELPERS_H

/* Finds their directory and puts it in the environment as DAVIT_LIBEXEC, unless that is set: they
 * lie beside the program in a build tree and in libexec where it is installed. */
void helpers_find(void);

#endif
