/* Chain ids (image-spec config.md, "Layer ChainID"): see images.h. */
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "images.h"

#define PREFIX "sha256:"

static void next_chain_id(char chain[DIGEST_SIZE], const char *diff_id, bool is_first)
{
    char text[2 * DIGEST_SIZE];
    int length;

    if (is_first) {
        memcpy(chain, diff_id, DIGEST_SIZE);
        return;
    }
    length = snprintf(text, sizeof(text), "%s %s", chain, diff_id);
    SHA256Data((const uint8_t *)text, (size_t)length, chain + strlen(PREFIX));
}

int image_list_chain_ids(struct arena *arena, const struct image_manifest *manifest,
                         const struct image_config *config, struct string_list *chain_ids,
                         struct error *err)
{
    char chain[DIGEST_SIZE] = "";

    if (manifest->layers.count != config->rootfs.diff_ids.count)
        return error_set(err, ERROR_CORRUPT, EINVAL,
                         "the manifest has %zu layers and the configuration %zu diff ids",
                         manifest->layers.count, config->rootfs.diff_ids.count);
    if (manifest->layers.count > OVERLAY_LAYERS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, E2BIG,
                         "the image has %zu layers; at most %d can be stacked: fewer can be made "
                         "by davit export and davit import",
                         manifest->layers.count, OVERLAY_LAYERS_MAX);
    for (size_t i = 0; i < manifest->layers.count; i++) {
        next_chain_id(chain, config->rootfs.diff_ids.items[i], i == 0);
        string_list_append(arena, chain_ids, arena_strdup(arena, chain + strlen(PREFIX)));
    }
    return 0;
}
