/* An archive to send: a file, standard input, or a directory that becomes one on the way. */
#ifndef DAVIT_CLI_INPUT_H
#define DAVIT_CLI_INPUT_H

#include <sys/types.h>

#include "base/error.h"

struct input {
    int fd;       /* to read from */
    pid_t writer; /* of a directory's archive; -1: none */
};

/* `path` NULL or "-" is standard input, which may not be a terminal. A directory is written by
 * `write_directory` in a process of its own, after `check` of it by the same: with out_fd -1 it
 * says only whether it can. */
int input_open(const char *path,
               int (*write_directory)(int directory_fd, int out_fd, struct error *err),
               struct input *input, struct error *err);
void input_close(struct input *input);

#endif
