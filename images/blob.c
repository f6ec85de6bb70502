/* Reading small blobs: image_store_read_blob() of images.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "images.h"

#define BLOB_MAX_BYTES (8 << 20) /* of those read into memory: manifests and configurations */

int image_store_read_blob(int root_fd, struct arena *arena, const char *digest, const char **text,
                          size_t *length, struct error *err)
{
    cleanup_buffer struct buffer content = {0};
    char path[128];
    int result;

    if (!digest_is_valid(digest))
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.80s\" is not a sha256 digest", digest);
    snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
    result = file_read(root_fd, path, BLOB_MAX_BYTES, &content, err);
    if (result < 0)
        return result;
    *text = arena_strndup(arena, buffer_text(&content), content.length);
    *length = content.length;
    return 0;
}
