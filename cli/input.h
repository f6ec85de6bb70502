/* An archive to send: a file, standard input, or a directory that becomes one on the way. */
#ifndef DAVIT_CLI_INPUT_H
#define DAVIT_CLI_INPUT_H

#include <sys/types.h>

#include "base/error.h"

struct input {
    int fd;       /* to read from */
    pid_t writer; /* of a directory's archive; -1: none */
};

/* Opens `path`; NULL or "-" is standard input, which may not be a terminal. For a directory
 * `write_directory` is called twice: with out_fd -1, when it only says whether it can write the
 * directory, and then in a process of its own. */
int input_open(const char *path,
               int (*write_directory)(int directory_fd, int out_fd, struct error *err),
               struct input *input, struct error *err);
void input_close(struct input *input);

#endif
