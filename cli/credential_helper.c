/* Programs that keep logins: see credential_helper.h. */
#include "credential_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#define OUTPUT_MAX (1 << 16)

static _Noreturn void run_helper(const char *program, const char *action, int input_fd,
                                 int output_fd)
{
    char *const arguments[] = {memory_strdup(program), memory_strdup(action), NULL};

    if (dup2(input_fd, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0)
        execvp(program, arguments);
    _exit(127);
}

int credential_helper_call(const char *name, const char *action, const char *text,
                           struct buffer *answer, struct error *err)
{
    cleanup_free char *program = memory_printf("docker-credential-%s", name);
    cleanup_close int input_read = -1;
    cleanup_close int input_write = -1;
    cleanup_close int output_read = -1;
    cleanup_close int output_write = -1;
    int input[2];
    int output[2];
    int status = 0;
    int result;
    pid_t pid;

    if (strchr(name, '/') != NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "credential helper \"%.64s\": not a name",
                         name);
    if (pipe2(input, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input_read = input[0];
    input_write = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    output_read = output[0];
    output_write = output[1];
    pid = fork();
    if (pid == 0)
        run_helper(program, action, input_read, output_write);
    if (pid < 0)
        return error_errno(err, errno, "fork");
    fd_close(&input_read);
    fd_close(&output_write);
    file_write_fd(input_write, text, strlen(text));
    fd_close(&input_write);
    result = file_read_fd(output_read, OUTPUT_MAX, answer);
    /* One that says more than anybody reads does not wait for that. */
    fd_close(&output_read);
    waitpid(pid, &status, 0);
    if (result < 0)
        return error_errno(err, -result, "%s", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "%s: not found in PATH", program);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
}
