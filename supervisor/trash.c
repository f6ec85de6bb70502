/* Removing trees beside the event loop: see trash.h. */
#include "trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "spawner.h"

/* What cannot be removed now is when davitd starts the next time. */
static void sweep(const struct daemon *daemon)
{
    struct error err = {0};

    if (spawner_request_sweep(daemon->spawner_fd, daemon->trash_fd, &err) < 0)
        log_warning("trash: %s", err.message);
}

int trash_open(struct daemon *daemon, struct error *err)
{
    if (mkdirat(daemon->root_fd, "trash", 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make trash");
    daemon->trash_fd =
        openat(daemon->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (daemon->trash_fd < 0)
        return error_errno(err, errno, "open trash");
    sweep(daemon);
    return 0;
}

int trash_put(struct daemon *daemon, int directory_fd, const char *name, struct error *err)
{
    char id[CONTAINER_ID_SIZE];

    random_id(id);
    if (renameat(directory_fd, name, daemon->trash_fd, id) < 0)
        return error_errno(err, errno, "remove %s", name);
    if (fsync(directory_fd) < 0)
        return error_errno(err, errno, "sync after the removal of %s", name);
    sweep(daemon);
    return 0;
}
