/* See network_namespace.h. */
#include "network_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include "cleanup.h"

int network_namespace_run(int netns_fd, int (*function)(void *context, struct error *err),
                          void *context, struct error *err)
{
    cleanup_close int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int result;

    if (own_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "enter a network namespace");
    result = function(context, err);
    if (setns(own_fd, CLONE_NEWNET) < 0)
        abort();
    return result;
}
