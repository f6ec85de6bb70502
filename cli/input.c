/* Archives to send: see input.h. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static int start_writer(int (*write_directory)(int directory_fd, int out_fd, struct error *err),
                        struct input *input, struct error *err)
{
    cleanup_close int directory_fd = take_fd(&input->fd);
    int result = write_directory(directory_fd, -1, err);
    int pair[2];

    if (result < 0)
        return result;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input->writer = fork();
    if (input->writer == 0) {
        struct error failure = {0};

        close(pair[0]);
        /* A tar that ends in the middle is refused by davitd. */
        if (write_directory(directory_fd, pair[1], &failure) < 0) {
            fprintf(stderr, "davit: %s\n", failure.message);
            _exit(1);
        }
        _exit(0);
    }
    close(pair[1]);
    input->fd = pair[0];
    return input->writer < 0 ? error_errno(err, errno, "fork") : 0;
}

int input_open(const char *path,
               int (*write_directory)(int directory_fd, int out_fd, struct error *err),
               struct input *input, struct error *err)
{
    struct stat status;

    *input = (struct input){.fd = STDIN_FILENO, .writer = -1};
    if (path == NULL || strcmp(path, "-") == 0) {
        if (isatty(STDIN_FILENO))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "an archive is expected: a file, or on standard input");
        return 0;
    }
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &status) < 0)
        return error_errno(err, errno, "%s", path);
    if (!S_ISDIR(status.st_mode))
        return 0;
    return start_writer(write_directory, input, err);
}

void input_close(struct input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    if (input->writer > 0)
        waitpid(input->writer, NULL, 0);
}
