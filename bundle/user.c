/* Users by name: see user.h. The file formats are passwd(5) and group(5). */
#include "user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/path.h"

#define ACCOUNT_FILE_MAX_BYTES (1 << 20)
#define GROUPS_MAX 64
#define ACCOUNT_FIELDS 7

/* One line of passwd(5) or group(5), cut at its colons. */
struct account {
    char *fields[ACCOUNT_FIELDS];
    size_t field_count;
};

static bool parse_id(const char *text, uint32_t *id)
{
    uint64_t value;

    if (!number_parse_unsigned(text, UINT32_MAX - 1, &value))
        return false;
    *id = (uint32_t)value;
    return true;
}

/* A missing file is an empty one: images without accounts run as numbers. */
static int read_accounts(int root_fd, const char *path, struct buffer *text, struct error *err)
{
    cleanup_close int fd = path_open_regular_in_root(root_fd, path);
    int result;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    if (fd == -EINVAL)
        return error_set(err, ERROR_INVALID, EINVAL, "the container's %s is not a file", path);
    result = fd < 0 ? fd : file_read_fd(fd, ACCOUNT_FILE_MAX_BYTES, text);
    return result < 0 ? error_errno(err, -result, "read the container's %s", path) : 0;
}

/* Cuts the next line off *rest. */
static bool next_account(char **rest, struct account *account)
{
    char *line = strsep(rest, "\n");

    if (line == NULL)
        return false;
    account->field_count = 0;
    while (line != NULL && account->field_count < ACCOUNT_FIELDS)
        account->fields[account->field_count++] = strsep(&line, ":");
    return true;
}

static bool find_user(char *passwd, const char *name, uint32_t uid, bool by_name,
                      struct account *found)
{
    while (next_account(&passwd, found)) {
        uint32_t line_uid;

        if (found->field_count < 4 || !parse_id(found->fields[2], &line_uid))
            continue;
        if (by_name ? strcmp(found->fields[0], name) == 0 : line_uid == uid)
            return true;
    }
    return false;
}

static bool find_group(char *groups, const char *name, uint32_t *gid)
{
    struct account line;

    while (next_account(&groups, &line)) {
        if (line.field_count >= 3 && strcmp(line.fields[0], name) == 0)
            return parse_id(line.fields[2], gid);
    }
    return false;
}

static bool list_has_member(char *members, const char *name)
{
    for (char *member = strsep(&members, ","); member != NULL; member = strsep(&members, ",")) {
        if (strcmp(member, name) == 0)
            return true;
    }
    return false;
}

/* Groups that list the user as a member. */
static void collect_groups(char *groups, const char *user_name, struct oci_user *user)
{
    struct account line;

    while (next_account(&groups, &line) && user->additional_gid_count < GROUPS_MAX) {
        uint32_t gid;

        if (line.field_count >= 4 && parse_id(line.fields[2], &gid) &&
            list_has_member(line.fields[3], user_name))
            user->additional_gids[user->additional_gid_count++] = gid;
    }
}

static const char *home_of(struct arena *arena, const struct account *account)
{
    bool has_home = account->field_count >= 6 && account->fields[5][0] == '/';

    return has_home ? arena_strdup(arena, account->fields[5]) : "/";
}

int user_resolve(struct arena *arena, int root_fd, const char *spec, struct oci_user *user,
                 const char **home, struct error *err)
{
    cleanup_buffer struct buffer passwd = {0};
    cleanup_buffer struct buffer groups = {0};
    char *user_part = arena_strdup(arena, spec != NULL && spec[0] != '\0' ? spec : "0");
    char *group_part = strchr(user_part, ':');
    struct account account = {0};
    bool is_number;
    bool is_known;

    *home = "/";
    if (group_part != NULL)
        *group_part++ = '\0';
    if (user_part[0] == '\0')
        user_part = arena_strdup(arena, "0");
    if (read_accounts(root_fd, "/etc/passwd", &passwd, err) < 0 ||
        read_accounts(root_fd, "/etc/group", &groups, err) < 0)
        return -err->errnum;
    is_number = parse_id(user_part, &user->uid);
    is_known = passwd.data != NULL && find_user(arena_strdup(arena, passwd.data), user_part,
                                                user->uid, !is_number, &account);
    if (!is_number && !is_known)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "unable to find user %.64s: no matching entries in passwd file",
                         user_part);
    user->gid = 0;
    user->additional_gids = arena_new(arena, GROUPS_MAX + 1, sizeof(uint32_t));
    user->additional_gid_count = 0;
    if (is_known) {
        parse_id(account.fields[2], &user->uid);
        parse_id(account.fields[3], &user->gid);
        *home = home_of(arena, &account);
    }
    if (group_part != NULL && group_part[0] != '\0') {
        if (!parse_id(group_part, &user->gid) &&
            (groups.data == NULL ||
             !find_group(arena_strdup(arena, groups.data), group_part, &user->gid)))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "unable to find group %.64s: no matching entries in group file",
                             group_part);
    } else if (is_known && groups.data != NULL) {
        collect_groups(arena_strdup(arena, groups.data), account.fields[0], user);
    }
    /* A program that drops its primary group must not gain what "not in that group" allows: the
     * group is a supplementary one as well (CVE-2022-36109). */
    user->additional_gids[user->additional_gid_count++] = user->gid;
    return 0;
}

const char *user_find_home(struct arena *arena, int root_fd, uint32_t uid)
{
    cleanup_buffer struct buffer passwd = {0};
    struct account account;

    if (read_accounts(root_fd, "/etc/passwd", &passwd, NULL) < 0 || passwd.data == NULL ||
        !find_user(passwd.data, NULL, uid, false, &account))
        return "/";
    return home_of(arena, &account);
}

int user_add_groups(struct arena *arena, int root_fd, const char *groups, struct oci_user *user,
                    struct error *err)
{
    cleanup_buffer struct buffer known = {0};
    char *rest = groups != NULL ? arena_strdup(arena, groups) : NULL;

    if (rest == NULL)
        return 0;
    if (read_accounts(root_fd, "/etc/group", &known, err) < 0)
        return -err->errnum;
    for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
        uint32_t gid;

        if (user->additional_gid_count >= GROUPS_MAX)
            return error_set(err, ERROR_TOO_LARGE, E2BIG, "more than %d groups", GROUPS_MAX);
        if (!parse_id(name, &gid) &&
            (known.data == NULL || !find_group(arena_strdup(arena, known.data), name, &gid)))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "Unable to find group %.64s: no matching entries in group file", name);
        user->additional_gids[user->additional_gid_count++] = gid;
    }
    return 0;
}
