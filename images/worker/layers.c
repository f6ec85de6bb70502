/* Layers by chain id: each unpacked once, by a confined child, and published by rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

#define PARALLEL_MAX 4

static _Noreturn void unpack_in_child(const struct child *child, int directory_fd, int input_fd,
                                      const struct worker_limits *limits)
{
    struct child_outcome outcome = {0};
    int result = sandbox_enter_layer(directory_fd, &outcome.error);

    if (result == 0)
        layer_extract(directory_fd, input_fd, limits, sandbox_filter_layer, outcome.digest,
                      &outcome.error);
    child_exit(child, &outcome);
}

/* With its own copy of the input's other end it would wait for ever: it keeps what it needs. */
static int start_child(struct layer_unpack *unpack, int input_fd,
                       const struct worker_limits *limits, struct error *err)
{
    int directory_fd = unpack->directory_fd;
    pid_t pid = child_fork(&unpack->child, (int *const[]){&directory_fd, &input_fd}, 2, err);

    if (pid == 0)
        unpack_in_child(&unpack->child, directory_fd, input_fd, limits);
    return pid < 0 ? (int)pid : 0;
}

int layer_unpack_begin(struct layer_unpack *unpack, int store_fd, int input_fd,
                       const struct worker_limits *limits, struct error *err)
{
    static unsigned int counter;
    int result;

    *unpack = (struct layer_unpack){.store_fd = store_fd, .child = {-1, -1}, .directory_fd = -1};
    snprintf(unpack->temporary, sizeof(unpack->temporary), "ingest/layer.%d.%u", (int)getpid(),
             counter++);
    if (mkdirat(store_fd, unpack->temporary, 0755) < 0)
        return error_errno(err, errno, "make %s", unpack->temporary);
    unpack->directory_fd = openat(store_fd, unpack->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = unpack->directory_fd < 0 ? error_errno(err, errno, "open %s", unpack->temporary)
                                      : start_child(unpack, input_fd, limits, err);
    if (result < 0)
        layer_unpack_abort(unpack);
    return result;
}

void layer_unpack_abort(struct layer_unpack *unpack)
{
    child_kill(&unpack->child);
    fd_close(&unpack->directory_fd);
    path_remove_tree(unpack->store_fd, unpack->temporary, NULL);
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

int layer_unpack_wait(struct layer_unpack *unpack, struct error *err)
{
    struct child_outcome outcome = {0};
    int result = child_await(&unpack->child, &outcome, err);

    memcpy(unpack->diff_id, outcome.digest, sizeof(unpack->diff_id));
    /* The tree must be on disk before its name is: a name means complete. */
    if (result == 0 && syncfs(unpack->directory_fd) < 0)
        result = error_errno(err, errno, "sync");
    return result;
}

int layer_unpack_publish(struct layer_unpack *unpack, const char *diff_id, const char *chain_hex,
                         struct error *err)
{
    if (strcmp(unpack->diff_id, diff_id) != 0)
        return error_set(err, ERROR_CORRUPT, EBADMSG,
                         "the content does not match its diff id: expected %s, found %s", diff_id,
                         unpack->diff_id);
    return publish(unpack->store_fd, unpack->temporary, chain_hex, err);
}

bool layer_exists(int store_fd, const char *chain_hex)
{
    char path[128];

    snprintf(path, sizeof(path), "layers/%s", chain_hex);
    return faccessat(store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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

int layers_list_chain_ids(struct arena *arena, const struct image_manifest *manifest,
                          const struct image_config *config, struct string_list *chain_ids,
                          struct error *err)
{
    char chain[DIGEST_SIZE] = "";

    if (manifest->layers.count != config->rootfs.diff_ids.count)
        return error_set(err, ERROR_CORRUPT, EINVAL,
                         "the manifest has %zu layers and the configuration %zu diff ids",
                         manifest->layers.count, config->rootfs.diff_ids.count);
    for (size_t i = 0; i < manifest->layers.count; i++) {
        next_chain_id(chain, config->rootfs.diff_ids.items[i], i == 0);
        string_list_append(arena, chain_ids, arena_strdup(arena, chain + 7));
    }
    return 0;
}

const char *layers_join(struct arena *arena, const struct string_list *chain_ids)
{
    cleanup_buffer struct buffer list = {0};

    for (size_t i = 0; i < chain_ids->count; i++)
        buffer_printf(&list, "%s%s", i > 0 ? "," : "", chain_ids->items[i]);
    return arena_strdup(arena, buffer_text(&list));
}

/* Layers that are being unpacked, each by a child: a ring, of which the oldest is waited for. */
struct unpacking {
    int store_fd;
    const struct image_manifest *manifest;
    const struct image_config *config;
    const struct string_list *chain_ids;
    const struct worker_limits *limits;
    struct layer_unpack running[PARALLEL_MAX];
    size_t layer_of[PARALLEL_MAX];
    size_t first;
    size_t count;
};

static int begin_layer(struct unpacking *unpacking, size_t layer, struct error *err)
{
    const char *digest = unpacking->manifest->layers.items[layer].digest;
    size_t place = (unpacking->first + unpacking->count) % PARALLEL_MAX;
    cleanup_close int blob_fd = blob_open(unpacking->store_fd, digest);
    int result;

    if (blob_fd < 0)
        return error_errno(err, -blob_fd, "layer %s", digest);
    result = layer_unpack_begin(&unpacking->running[place], unpacking->store_fd, blob_fd,
                                unpacking->limits, err);
    if (result < 0)
        return error_prefix(err, "layer %s", digest);
    unpacking->layer_of[place] = layer;
    unpacking->count++;
    return 0;
}

static int finish_oldest(struct unpacking *unpacking, struct error *err)
{
    size_t layer = unpacking->layer_of[unpacking->first];
    struct layer_unpack *unpack = &unpacking->running[unpacking->first];
    int result = layer_unpack_wait(unpack, err);

    if (result == 0)
        result = layer_unpack_publish(unpack, unpacking->config->rootfs.diff_ids.items[layer],
                                      unpacking->chain_ids->items[layer], err);
    layer_unpack_abort(unpack);
    unpacking->first = (unpacking->first + 1) % PARALLEL_MAX;
    unpacking->count--;
    return result < 0
               ? error_prefix(err, "layer %s", unpacking->manifest->layers.items[layer].digest)
               : 0;
}

int layers_unpack(int store_fd, struct arena *arena, const struct image_manifest *manifest,
                  const struct image_config *config, const struct worker_limits *limits,
                  const char **layers, struct error *err)
{
    struct string_list chain_ids = {0};
    struct unpacking unpacking = {store_fd, manifest, config, &chain_ids, limits, .count = 0};
    int result = layers_list_chain_ids(arena, manifest, config, &chain_ids, err);

    for (size_t i = 0; result == 0 && i < chain_ids.count; i++) {
        if (layer_exists(store_fd, chain_ids.items[i]))
            continue;
        if (unpacking.count == PARALLEL_MAX)
            result = finish_oldest(&unpacking, err);
        if (result == 0)
            result = begin_layer(&unpacking, i, err);
    }
    while (result == 0 && unpacking.count > 0)
        result = finish_oldest(&unpacking, err);
    for (; unpacking.count > 0; unpacking.count--) {
        layer_unpack_abort(&unpacking.running[unpacking.first]);
        unpacking.first = (unpacking.first + 1) % PARALLEL_MAX;
    }
    if (result == 0)
        *layers = layers_join(arena, &chain_ids);
    return result;
}
