/* Volumes on disk and in memory: see volumes.h. */
#include "volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/actor.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/file_twice.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/path.h"

#define VOLUME_FILE "volume.json"
#define VOLUME_FILE_MAX (1 << 20)
#define MOUNTED_FILE "mounted" /* marks a volume that is mounted from elsewhere */
#define TEMPORARY_PREFIX ".new-"
#define REMOVED_PREFIX ".removed-"

static const struct json_field volume_fields[] = {
    JSON_FIELD(struct volume, created_ns, "CreatedNs", JSON_KIND_INT64, .flags = JSON_REQUIRED),
    JSON_FIELD(struct volume, is_anonymous, "Anonymous", JSON_KIND_BOOL),
    JSON_FIELD(struct volume, project, "Project", JSON_KIND_UINT32),
    JSON_FIELD(struct volume, labels, "Labels", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct volume, options, "Options", JSON_KIND_STRING_MAP),
};
static const struct json_struct volume_type = JSON_STRUCT(struct volume, volume_fields);

char *volume_path(const struct volumes *volumes, const char *tenant, const char *name)
{
    cleanup_arena struct arena arena = {0};

    return memory_printf("%s/volumes/%s/" VOLUME_DATA, volumes->places->root,
                         definition_volume_directory(&arena, tenant, name));
}

static void volume_free(struct volume *volume)
{
    arena_release(&volume->arena);
    for (size_t i = 0; i < volume->user_count; i++)
        free(volume->users[i]);
    free(volume->users);
    free(volume->tenant);
    free(volume->name);
    free(volume);
}

static struct volume *volume_new(const char *tenant, const char *name)
{
    struct volume *volume = memory_new_one(struct volume);

    volume->tenant = memory_strdup(tenant);
    volume->name = memory_strdup(name);
    return volume;
}

static const char *directory_of(struct volume *volume)
{
    return definition_volume_directory(&volume->arena, volume->tenant, volume->name);
}

/* Of the directory's name. */
static struct volume *volume_of_directory(const char *directory)
{
    const char *at = strchr(directory, '@');
    cleanup_free char *tenant =
        memory_printf("%.*s", at != NULL ? (int)(at - directory) : 0, directory);

    return volume_new(tenant, at != NULL ? at + 1 : directory);
}

static void volume_link(struct volumes *volumes, struct volume *volume)
{
    volume->next = volumes->list;
    volumes->list = volume;
    projects_note(volumes->projects, volume->project);
}

/* What a file that is no good has left in it. */
static void forget_file(struct volume *volume)
{
    arena_release(&volume->arena);
    *volume = (struct volume){.tenant = volume->tenant, .name = volume->name};
}

static int take_volume(void *context, const char *text, size_t length, struct error *err)
{
    struct volume *volume = context;

    forget_file(volume);
    return json_decode_text(&volume->arena, text, length, &volume_type, volume, err);
}

static int write_file(const struct volume *volume, int directory_fd, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_encode(writer, &volume_type, volume);
    text = json_writer_text(writer);
    if (strlen(text) > VOLUME_FILE_MAX)
        result = error_set(err, ERROR_TOO_LARGE, EFBIG,
                           "volume %s: labels and options of more than %d bytes", volume->name,
                           VOLUME_FILE_MAX);
    else
        result = file_replace_twice(directory_fd, VOLUME_FILE, text, strlen(text), 0600, err);
    json_writer_free(writer);
    return result;
}

/* A volume is its content: without its file it has lost its labels, and nothing else. */
static int adopt_volume(struct volume *volume, int directory_fd, struct error *err)
{
    cleanup_close int data_fd =
        openat(directory_fd, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct error why = *err;

    if (data_fd < 0)
        return error_errno(err, errno, "open " VOLUME_DATA);
    if (volume_check_name(volume->name, err) < 0)
        return -err->errnum;
    /* What it stood for is not known any more, and is not to be taken for an empty directory. */
    if (faccessat(directory_fd, MOUNTED_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, ERROR_CORRUPT, EBADMSG,
                         "the file that says what is mounted there is lost or damaged: remove the "
                         "volume (davit system repair --prune) and make it again");
    forget_file(volume);
    volume->created_ns = clock_now_ns();
    volume->project = quota_project(data_fd);
    log_warning("volume %s: its file was lost or damaged, and is made anew without labels: %s",
                volume->name, why.message);
    return write_file(volume, directory_fd, err);
}

static int read_volume(struct volumes *volumes, const char *name, struct error *err)
{
    struct volume *volume = volume_of_directory(name);
    cleanup_close int fd =
        openat(volumes->places->volumes_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool is_damaged;
    int result = fd < 0 ? error_errno(err, errno, "open") : 0;

    if (result == 0 && file_read_twice(fd, VOLUME_FILE, VOLUME_FILE_MAX, take_volume, volume,
                                       &is_damaged, err) < 0)
        result = adopt_volume(volume, fd, err);
    else if (result == 0 && is_damaged)
        log_warning("volume %s: its file was lost or damaged, and is written again from its copy: "
                    "%s",
                    volume->name, err->message);
    if (result < 0)
        volume_free(volume);
    else
        volume_link(volumes, volume);
    return result;
}

int volumes_read(struct volumes *volumes, struct error *err)
{
    cleanup_dir DIR *dir = path_list(volumes->places->volumes_fd, ".");
    struct dirent *entry;

    if (dir == NULL)
        return error_errno(err, errno, "open volumes");
    while ((entry = readdir(dir)) != NULL) {
        struct error problem = {0};
        int result = 0;

        bool is_leftover =
            strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0 ||
            strncmp(entry->d_name, REMOVED_PREFIX, strlen(REMOVED_PREFIX)) == 0;

        /* An earlier davitd has not come to that. */
        if (is_leftover)
            volume_unmount_memory(volumes, entry->d_name);
        if (is_leftover)
            result =
                trash_move(volumes->trash, volumes->places->volumes_fd, entry->d_name, &problem);
        else if (entry->d_name[0] != '.')
            result = read_volume(volumes, entry->d_name, &problem);
        if (result < 0)
            log_error("volume %s is left out: %s", entry->d_name, problem.message);
    }
    return 0;
}

static struct volume *look_up(const struct volumes *volumes, const char *tenant, const char *name)
{
    struct volume *volume = volumes->list;

    while (volume != NULL &&
           (strcmp(volume->name, name) != 0 || !tenant_is(volume->tenant, tenant)))
        volume = volume->next;
    return volume;
}

static bool has_volume_of(const struct volumes *volumes, const char *directory)
{
    cleanup_arena struct arena arena = {0};
    const struct volume *volume = volumes->list;

    while (volume != NULL &&
           strcmp(definition_volume_directory(&arena, volume->tenant, volume->name), directory) !=
               0)
        volume = volume->next;
    return volume != NULL;
}

static void repair_volume(struct volumes *volumes, const char *name, enum repair how,
                          struct findings *findings)
{
    struct finding *finding =
        findings_add(findings, arena_printf(&findings->arena, "volumes/%s", name),
                     "no volume can be read from this directory",
                     "davit system repair tries again; with --prune it is removed");
    struct error err = {0};

    if (how != REPAIR_LOOK && read_volume(volumes, name, &err) == 0)
        finding->done = "it is a volume again";
    else if (how == REPAIR_PRUNE &&
             trash_put(volumes->trash, volumes->places->volumes_fd, name, &err) == 0)
        finding->done = "removed";
}

void volumes_repair(struct volumes *volumes, enum repair how, struct findings *findings)
{
    cleanup_dir DIR *dir = path_list(volumes->places->volumes_fd, ".");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && !has_volume_of(volumes, entry->d_name))
            repair_volume(volumes, entry->d_name, how, findings);
    }
}

int volume_find(const struct volumes *volumes, const char *tenant, const char *name,
                struct volume **volume, struct error *err)
{
    *volume = look_up(volumes, tenant, name);
    if (*volume != NULL)
        return 0;
    return error_set(err, ERROR_NOT_FOUND, ENOENT, "get %.128s: no such volume", name);
}

static int check_order(const struct volume_order *order, int64_t *size, struct error *err)
{
    if (order->driver != NULL && order->driver[0] != '\0' && strcmp(order->driver, "local") != 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "plugin \"%.64s\" not found: local is the only volume driver",
                         order->driver);
    return volume_check_options(&order->options, size, err);
}

static int set_quota(struct volumes *volumes, struct volume *volume, int data_fd, int64_t size,
                     struct error *err)
{
    int result;

    if (size == 0)
        return 0;
    volume->project = projects_pick(volumes->projects);
    result = quota_limit(volumes->places->volumes_fd, volume->project, (uint64_t)size, err);
    if (result == 0)
        result = quota_assign(data_fd, volume->project, err);
    return result < 0 ? error_prefix(err, "DriverOpts.size") : 0;
}

static int mark_mounted(int directory_fd, struct error *err)
{
    cleanup_close int fd =
        openat(directory_fd, MOUNTED_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? error_errno(err, errno, "make " MOUNTED_FILE) : 0;
}

/* What the directory of a volume holds. */
static int fill(struct volumes *volumes, struct volume *volume, int directory_fd, int64_t size,
                struct error *err)
{
    cleanup_close int data_fd = -1;
    int result;

    if (mkdirat(directory_fd, VOLUME_DATA, 0755) < 0)
        return error_errno(err, errno, "make " VOLUME_DATA);
    data_fd = openat(directory_fd, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* davitd's umask is for its own files. */
    if (data_fd < 0 || fchmod(data_fd, 0755) < 0)
        return error_errno(err, errno, "open " VOLUME_DATA);
    result = set_quota(volumes, volume, data_fd, size, err);
    if (result == 0 && string_map_get(&volume->options, "type") != NULL)
        result = mark_mounted(directory_fd, err);
    return result < 0 ? result : write_file(volume, directory_fd, err);
}

static int publish(const struct volumes *volumes, const char *temporary, const char *name,
                   struct error *err)
{
    if (renameat2(volumes->places->volumes_fd, temporary, volumes->places->volumes_fd, name,
                  RENAME_NOREPLACE) < 0)
        return error_errno(err, errno, "name volume %s", name);
    if (fsync(volumes->places->volumes_fd) == 0)
        return 0;
    error_errno(err, errno, "sync volume %s", name);
    renameat(volumes->places->volumes_fd, name, volumes->places->volumes_fd, temporary);
    return -EIO;
}

static int make_on_disk(struct volumes *volumes, struct volume *volume, int64_t size,
                        struct error *err)
{
    cleanup_free char *temporary = memory_printf(TEMPORARY_PREFIX "%s", directory_of(volume));
    cleanup_close int directory_fd = -1;
    int result;

    if (mkdirat(volumes->places->volumes_fd, temporary, 0700) < 0)
        return error_errno(err, errno, "make volume %s", volume->name);
    directory_fd = openat(volumes->places->volumes_fd, temporary,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    result = directory_fd < 0 ? error_errno(err, errno, "open volume %s", volume->name)
                              : fill(volumes, volume, directory_fd, size, err);
    if (result == 0)
        result = publish(volumes, temporary, directory_of(volume), err);
    if (result == 0)
        return 0;
    path_remove_tree(volumes->places->volumes_fd, temporary, NULL);
    if (volume->project != 0)
        quota_limit(volumes->places->volumes_fd, volume->project, 0, NULL);
    projects_release(volumes->projects, volume->project);
    return result;
}

static void publish_event(struct volumes *volumes, const char *action, const struct volume *volume)
{
    struct string_pair driver = {"driver", "local"};

    events_publish(volumes->events, "volume", action, volume->name,
                   &(struct string_map){&driver, 1});
}

int volume_make(struct volumes *volumes, const char *tenant, const struct volume_order *order,
                struct volume **made, bool *is_new, struct error *err)
{
    bool is_anonymous = order->name == NULL || order->name[0] == '\0';
    char id[IDENTIFIER_SIZE];
    struct volume *volume;
    int64_t size = 0;
    int result = check_order(order, &size, err);

    *is_new = false;
    if (result == 0 && !is_anonymous)
        result = volume_check_name(order->name, err);
    if (result < 0)
        return result;
    *made = is_anonymous ? NULL : look_up(volumes, tenant, order->name);
    if (*made != NULL)
        return 0;
    identifier_make(id);
    volume = volume_new(tenant != NULL ? tenant : "", is_anonymous ? id : order->name);
    volume->created_ns = clock_now_ns();
    volume->is_anonymous = is_anonymous;
    string_map_copy(&volume->arena, &order->labels, &volume->labels);
    string_map_copy(&volume->arena, &order->options, &volume->options);
    result = make_on_disk(volumes, volume, size, err);
    if (result < 0) {
        volume_free(volume);
        return result;
    }
    volume_link(volumes, volume);
    publish_event(volumes, "create", volume);
    *is_new = true;
    *made = volume;
    return 0;
}

static void unlink_volume(struct volumes *volumes, const struct volume *volume)
{
    struct volume **link = &volumes->list;

    while (*link != volume)
        link = &(*link)->next;
    *link = volume->next;
}

/* Gives it a name that is no volume's, durably. After a failure it has its own. */
static int unname(const struct volumes *volumes, const char *name, const char *removed,
                  struct error *err)
{
    int volumes_fd = volumes->places->volumes_fd;

    if (renameat(volumes_fd, name, volumes_fd, removed) < 0)
        return error_errno(err, errno, "remove %s", name);
    if (fsync(volumes_fd) == 0)
        return 0;
    error_errno(err, errno, "sync the removal of %s", name);
    renameat(volumes_fd, removed, volumes_fd, name);
    return -EIO;
}

int volume_remove(struct volumes *volumes, struct volume *volume, struct error *err)
{
    const char *name = directory_of(volume);
    cleanup_free char *removed = memory_printf(REMOVED_PREFIX "%s", name);
    struct error problem = {0};
    int result;

    if (volume->user_count > 0)
        return error_set(err, ERROR_CONFLICT, EBUSY, "remove %s: volume is in use - [%s]",
                         volume->name, volume->users[0]);
    result = unname(volumes, name, removed, err);
    if (result < 0)
        return result;
    volume_unmount_memory(volumes, removed);
    if (trash_put(volumes->trash, volumes->places->volumes_fd, removed, &problem) < 0)
        log_warning("volume %s: what is left of it goes at the next start: %s", volume->name,
                    problem.message);
    if (volume->project != 0)
        quota_limit(volumes->places->volumes_fd, volume->project, 0, NULL);
    projects_release(volumes->projects, volume->project);
    unlink_volume(volumes, volume);
    publish_event(volumes, "destroy", volume);
    volume_free(volume);
    return 0;
}

void volume_write(struct json_writer *writer, const struct volumes *volumes,
                  const struct volume *volume, int64_t bytes)
{
    cleanup_free char *path = volume_path(volumes, volume->tenant, volume->name);
    char created[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(volume->created_ns, created);
    json_object_open(writer);
    json_member_string(writer, "Name", volume->name);
    json_member_string(writer, "Driver", "local");
    json_member_string(writer, "Mountpoint", path);
    json_member_string(writer, "CreatedAt", created);
    json_member_string(writer, "Scope", "local");
    json_member_map(writer, "Labels", &volume->labels);
    json_member_map(writer, "Options", &volume->options);
    if (bytes >= 0) {
        json_key(writer, "UsageData");
        json_object_open(writer);
        json_member_integer(writer, "Size", bytes);
        json_member_unsigned(writer, "RefCount", volume->user_count);
        json_object_close(writer);
    }
    json_object_close(writer);
}
