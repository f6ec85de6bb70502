/* See build.h. */
#include "build.h"

const char *const davit_version = DAVIT_VERSION;
const char *const davit_product = "davit/" DAVIT_VERSION;
const char *const davit_libexecdir = DAVIT_LIBEXECDIR;
