/* Layers by chain id: each unpacked once, by a confined child, and published by rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "worker.h"

const struct worker_limits worker_default_limits = {
    .layer_bytes = UINT64_C(64) << 30,
    .layer_entries = 4000000,
    .archive_bytes = UINT64_C(64) << 30,
};

struct outcome {
    int result;
    char diff_id[DIGEST_SIZE];
    struct error error;
};

static _Noreturn void unpack_in_child(int directory_fd, int blob_fd, int pipe_fd,
                                      const struct worker_limits *limits)
{
    struct outcome outcome = {0};

    outcome.result = sandbox_enter_layer(directory_fd, &outcome.error);
    if (outcome.result == 0)
        outcome.result =
            layer_extract(directory_fd, blob_fd, limits, outcome.diff_id, &outcome.error);
    (void)!write(pipe_fd, &outcome, sizeof(outcome));
    _exit(0);
}

static int run_child(int directory_fd, int blob_fd, const struct worker_limits *limits,
                     struct outcome *outcome, struct error *err)
{
    cleanup_close int read_fd = -1;
    ssize_t count;
    int fds[2];
    int status = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    read_fd = fds[0];
    pid = fork();
    if (pid == 0)
        unpack_in_child(directory_fd, blob_fd, fds[1], limits);
    close(fds[1]);
    if (pid < 0)
        return error_errno(err, errno, "fork");
    count = read(read_fd, outcome, sizeof(*outcome));
    waitpid(pid, &status, 0);
    if (count != (ssize_t)sizeof(*outcome))
        return error_set(err, ERROR_CORRUPT, ECHILD,
                         "the unpacking process died of signal %d: the layer made it do something "
                         "it must not",
                         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    outcome->error.message[sizeof(outcome->error.message) - 1] = '\0';
    outcome->diff_id[DIGEST_SIZE - 1] = '\0';
    if (outcome->result < 0 && err != NULL)
        *err = outcome->error;
    return outcome->result;
}

/* Two workers may unpack the same layer; the second finds it there and drops its own. */
static int publish(int store_fd, const char *temporary, const char *chain_hex, struct error *err)
{
    char path[128];

    snprintf(path, sizeof(path), "layers/%s", chain_hex);
    if (renameat(store_fd, temporary, store_fd, path) == 0)
        return 0;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return error_errno(err, errno, "publish layer %s", chain_hex);
    return 0;
}

static int unpack_one(int store_fd, const struct image_descriptor *layer, const char *diff_id,
                      const char *chain_hex, const struct worker_limits *limits, struct error *err)
{
    struct outcome outcome = {0};
    char temporary[128];
    char blob[128];
    cleanup_close int blob_fd = -1;
    cleanup_close int directory_fd = -1;
    int result;

    snprintf(blob, sizeof(blob), "blobs/sha256/%s", layer->digest + 7);
    blob_fd = openat(store_fd, blob, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (blob_fd < 0)
        return error_errno(err, errno, "layer %s", layer->digest);
    snprintf(temporary, sizeof(temporary), "ingest/layer.%d.%s", (int)getpid(), chain_hex);
    if (mkdirat(store_fd, temporary, 0755) < 0)
        return error_errno(err, errno, "make %s", temporary);
    directory_fd = openat(store_fd, temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = directory_fd < 0 ? error_errno(err, errno, "open %s", temporary)
                              : run_child(directory_fd, blob_fd, limits, &outcome, err);
    if (result == 0 && strcmp(outcome.diff_id, diff_id) != 0)
        result = error_set(err, ERROR_CORRUPT, EBADMSG,
                           "the content does not match its diff id: expected %s, found %s", diff_id,
                           outcome.diff_id);
    /* The tree must be on disk before its name is: a name means complete. */
    if (result == 0 && syncfs(directory_fd) < 0)
        result = error_errno(err, errno, "sync");
    if (result == 0)
        result = publish(store_fd, temporary, chain_hex, err);
    path_remove_tree(store_fd, temporary, NULL);
    return result < 0 ? error_prefix(err, "layer %s", layer->digest) : 0;
}

/* image-spec config.md "Layer ChainID" */
static void next_chain_id(char chain[DIGEST_SIZE], const char *diff_id, bool is_first)
{
    char text[2 * DIGEST_SIZE];
    int length;

    if (is_first) {
        memcpy(chain, diff_id, DIGEST_SIZE);
        return;
    }
    length = snprintf(text, sizeof(text), "%s %s", chain, diff_id);
    digest_of(text, (size_t)length, chain);
}

int layers_unpack(int store_fd, struct arena *arena, const struct image_manifest *manifest,
                  const struct image_config *config, const struct worker_limits *limits,
                  const char **layers, struct error *err)
{
    cleanup_buffer struct buffer list = {0};
    char chain[DIGEST_SIZE] = "";

    if (manifest->layers.count != config->rootfs.diff_ids.count)
        return error_set(err, ERROR_CORRUPT, EINVAL,
                         "the manifest has %zu layers and the configuration %zu diff ids",
                         manifest->layers.count, config->rootfs.diff_ids.count);
    for (size_t i = 0; i < manifest->layers.count; i++) {
        const char *diff_id = config->rootfs.diff_ids.items[i];
        char path[128];
        int result = 0;

        next_chain_id(chain, diff_id, i == 0);
        snprintf(path, sizeof(path), "layers/%s", chain + 7);
        if (faccessat(store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            result =
                unpack_one(store_fd, &manifest->layers.items[i], diff_id, chain + 7, limits, err);
        if (result < 0)
            return result;
        buffer_printf(&list, "%s%s", i > 0 ? "," : "", chain + 7);
    }
    *layers = arena_strdup(arena, buffer_text(&list));
    return 0;
}
