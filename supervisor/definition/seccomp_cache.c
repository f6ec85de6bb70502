/* Compiled seccomp filters: see seccomp_cache.h. */
#include "seccomp_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/path.h"
#include "runtime/runtime.h"

/* FNV-1a, twice with different starts: the name only has to tell profiles apart that one
 * administrator uses. Profiles are given by people who may run any container anyway. */
static const char *make_name(struct arena *arena, const char *profile, size_t length,
                             const struct string_list *capabilities)
{
    uint64_t values[2] = {HASH_START, UINT64_C(7809847782465536322)};

    for (size_t i = 0; i < 2; i++) {
        values[i] = hash_bytes(values[i], davit_version, strlen(davit_version));
        values[i] = hash_bytes(values[i], profile, length);
        for (size_t j = 0; j < capabilities->count; j++)
            values[i] =
                hash_bytes(values[i], capabilities->items[j], strlen(capabilities->items[j]) + 1);
    }
    return arena_printf(arena, "%016" PRIx64 "%016" PRIx64 ".bpf", values[0], values[1]);
}

static size_t count_files(int directory_fd, bool removes)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    size_t count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count += !removes || unlinkat(directory_fd, entry->d_name, 0) < 0;
    }
    return count;
}

bool seccomp_cache_is_full(struct seccomp_cache *cache, int directory_fd)
{
    if (!cache->is_counted)
        cache->count = count_files(directory_fd, false);
    cache->is_counted = true;
    return cache->count >= SECCOMP_CACHE_MAX;
}

void seccomp_cache_clear(struct seccomp_cache *cache, int directory_fd)
{
    arena_release(&cache->arena);
    *cache = (struct seccomp_cache){.count = count_files(directory_fd, true), .is_counted = true};
}

int seccomp_cache_get(struct seccomp_cache *cache, int directory_fd, struct arena *arena,
                      const struct definition_security *security,
                      const struct string_list *capabilities, const char **name, struct error *err)
{
    cleanup_arena struct arena temporary = {0};
    const char *profile = seccomp_default_profile;
    size_t length = seccomp_default_profile_length;
    struct oci_seccomp seccomp = {0};
    struct seccomp_program program = {0};
    int result;

    *name = NULL;
    if (security->seccomp == SECCOMP_UNCONFINED)
        return 0;
    if (security->seccomp == SECCOMP_PROFILE) {
        profile = security->profile;
        length = strlen(profile);
    }
    *name = make_name(arena, profile, length, capabilities);
    if (string_list_has(&cache->known, *name) && faccessat(directory_fd, *name, F_OK, 0) == 0)
        return 0;
    result = seccomp_profile_resolve(&temporary, profile, length, capabilities, &seccomp, err);
    if (result == 0)
        result = seccomp_compile(&seccomp, &program, err);
    if (result == 0 && program.has_listener)
        result = error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                           "seccomp profile: SCMP_ACT_NOTIFY is not supported by davitd");
    if (result < 0) {
        seccomp_program_release(&program);
        return result;
    }
    result = file_replace(directory_fd, *name, program.instructions,
                          program.length * sizeof(struct sock_filter), 0600, true, err);
    seccomp_program_release(&program);
    if (result == 0 && !string_list_has(&cache->known, *name)) {
        string_list_append(&cache->arena, &cache->known, arena_strdup(&cache->arena, *name));
        cache->count++;
    }
    return result;
}
