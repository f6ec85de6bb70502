/* A layer's bytes onto disk: whatever the tar says, nothing but the layer's directory changes. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "images/worker/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int outer_fd = -1;

static char outer_path[] = "/tmp/davit-fuzz.XXXXXX";

static void remove_outer(void)
{
    path_remove_tree(AT_FDCWD, outer_path, NULL);
}

static void set_up(void)
{
    if (mkdtemp(outer_path) == NULL)
        abort();
    atexit(remove_outer);
    outer_fd = open(outer_path, O_RDONLY | O_DIRECTORY);
}

static size_t count_entries(int fd)
{
    DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
    size_t count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct worker_limits limits = {.layer_bytes = 1 << 20, .layer_entries = 100};
    char digest[DIGEST_SIZE];
    struct error err;
    int layer_fd;
    int fd;

    if (outer_fd < 0)
        set_up();
    mkdirat(outer_fd, "layer", 0755);
    layer_fd = openat(outer_fd, "layer", O_RDONLY | O_DIRECTORY);
    fd = memfd_create("tar", 0);
    if (write(fd, data, size) != (ssize_t)size)
        abort();
    lseek(fd, 0, SEEK_SET);
    layer_extract(layer_fd, fd, &limits, NULL, -1, digest, &err);
    close(fd);
    close(layer_fd);
    assert(count_entries(outer_fd) == 3);
    if (path_remove_tree(outer_fd, "layer", &err) < 0)
        abort();
    return 0;
}
