/* Our programs that other programs of ours run: davit-image, davit-fetch, davit-resolver,
 * davit-cni, davit-scope. */
#ifndef DAVIT_BASE_HELPERS_H
#define DAVIT_BASE_HELPERS_H

/* Finds the directory of these programs and sets DAVIT_LIBEXEC to it, unless that is set already.
 * In a build tree they lie beside the program, in an installation in ../libexec/davit. */
void helpers_set_directory(void);

#endif
