/* Where davitd is: "unix://PATH" or a path, or "ssh://[USER@]HOST[:PORT][/PATH]" of another host.
 */
#ifndef DAVIT_CLI_HOST_H
#define DAVIT_CLI_HOST_H

#include "base/error.h"

/* Whether it can be understood. */
int host_check(const char *host, struct error *err);

/* Connects: a descriptor. Over ssh(1) a program of its own is at the other end, which runs `davit
 * system dial-stdio` there and ends with the connection. */
int host_connect(const char *host, struct error *err);

#endif
