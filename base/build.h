/* What the Makefile says of this build. It is in one object, so that another version or another
 * directory compiles one file anew. */
#ifndef DAVIT_BASE_BUILD_H
#define DAVIT_BASE_BUILD_H

extern const char *const davit_version;    /* "0.1.0" */
extern const char *const davit_product;    /* "davit/0.1.0", for HTTP */
extern const char *const davit_libexecdir; /* where installed helpers are */

#endif
