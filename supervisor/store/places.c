/* Directories of davitd: see places.h. */
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"

#define PREDECESSOR_MS 2000 /* one that was killed is gone by then */

static int open_subdirectory(int fd, const char *name, struct error *err)
{
    int opened;

    if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make %s", name);
    opened = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return opened < 0 ? error_errno(err, errno, "open %s", name) : opened;
}

/* Two davitds on one root would each undo what the other does. */
static int open_root(struct places *places, struct error *err)
{
    places->root_fd = path_make_host_directory(places->root, 0711, err);
    if (places->root_fd < 0)
        return error_prefix(err, "--root");
    if (fchmod(places->root_fd, 0700) < 0)
        return error_errno(err, errno, "--root %s", places->root);
    if (file_lock(places->root_fd, PREDECESSOR_MS) < 0)
        return error_set(err, ERROR_CONFLICT, EBUSY, "%s is in use by another davitd",
                         places->root);
    return 0;
}

/* Two davitds in one place would take each other's socket and containers. */
static int open_run(struct places *places, struct error *err)
{
    places->run_fd = path_make_host_directory(places->run, 0711, err);
    if (places->run_fd < 0)
        return error_prefix(err, "--run");
    if (file_lock(places->run_fd, PREDECESSOR_MS) < 0)
        return error_set(err, ERROR_CONFLICT, EBUSY, "--run %s is in use by another davitd",
                         places->run);
    return 0;
}

int places_open(struct places *places, const char *root, const char *run, struct error *err)
{
    const struct {
        const int *parent_fd;
        const char *name;
        int *fd;
    } directories[] = {
        {&places->root_fd, "containers", &places->containers_fd},
        {&places->root_fd, "seccomp", &places->seccomp_fd},
        {&places->root_fd, "volumes", &places->volumes_fd},
        {&places->root_fd, "networks", &places->networks_fd},
        {&places->root_fd, "aside", &places->aside_fd},
        {&places->root_fd, "trash", &places->trash_fd},
        {&places->run_fd, "containers", &places->run_containers_fd},
    };
    int result;

    *places = (struct places){.root = root, .run = run, .root_fd = -1, .run_fd = -1};
    result = open_root(places, err);
    if (result == 0)
        result = open_run(places, err);
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(directories); i++) {
        int fd = open_subdirectory(*directories[i].parent_fd, directories[i].name, err);

        *directories[i].fd = fd;
        result = fd < 0 ? fd : 0;
    }
    return result;
}
