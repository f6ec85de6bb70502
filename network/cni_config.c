/* See cni_config.h. */
#include "cni_config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#define CONFIG_MAX_BYTES (1 << 20)

static bool is_known_version(const char *version)
{
    static const char *const known[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(known[i], version) == 0)
            return true;
    }
    return false;
}

/* True for what may be a plugin's type, which becomes the name of a program in the plugin
 * directories. */
static bool is_type(const char *type)
{
    return type != NULL && type[0] != '\0' && type[0] != '.' && strchr(type, '/') == NULL &&
           strlen(type) < 128;
}

static int add_plugin(struct cni_config *config, const struct json *plugin, struct error *err)
{
    if (config->plugin_count == CNI_PLUGINS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "plugins: more than %d", CNI_PLUGINS_MAX);
    if (!is_type(json_get_string(plugin, "type")))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "plugins[%zu].type: the name of a plugin is required",
                         config->plugin_count);
    config->plugins[config->plugin_count++] = plugin;
    return 0;
}

int cni_config_decode(const struct json *root, struct cni_config *config, struct error *err)
{
    const struct json *plugins = json_get(root, "plugins");
    int result = 0;

    *config = (struct cni_config){.root = root};
    config->name = json_get_string(root, "name");
    config->version = json_get_string(root, "cniVersion");
    if (config->name == NULL || config->name[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "name: required, but missing");
    if (config->version == NULL || !is_known_version(config->version))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "cniVersion: \"%.32s\" is not supported; 0.3.0, 0.3.1, 0.4.0, 1.0.0 and "
                         "1.1.0 are",
                         config->version != NULL ? config->version : "");
    if (plugins == NULL)
        return add_plugin(config, root, err);
    if (plugins->type != JSON_ARRAY || plugins->count == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "plugins: a list of one or more is expected");
    for (size_t i = 0; result == 0 && i < plugins->count; i++)
        result = add_plugin(config, &plugins->items[i], err);
    return result;
}

int cni_config_read(struct arena *arena, const char *path, struct cni_config *config,
                    struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    const struct json *root = NULL;
    struct stat status;
    int result = file_read(AT_FDCWD, path, CONFIG_MAX_BYTES, &text, err);

    /* It names programs that run as root. */
    if (result == 0 && (stat(path, &status) < 0 || (status.st_mode & 022) != 0 ||
                        (status.st_uid != 0 && status.st_uid != geteuid())))
        result = error_set(err, ERROR_DENIED, EACCES, "others than root can write to it");
    if (result == 0)
        result =
            json_parse(arena, buffer_text(&text), text.length, &json_default_limits, &root, err);
    if (result == 0)
        result = cni_config_decode(root, config, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

static int by_extension(const struct dirent *entry)
{
    static const char *const extensions[] = {".conflist", ".conf", ".json"};
    const char *dot = strrchr(entry->d_name, '.');

    for (size_t i = 0; dot != NULL && i < ARRAY_SIZE(extensions); i++) {
        if (strcmp(dot, extensions[i]) == 0)
            return 1;
    }
    return 0;
}

int cni_config_find(struct arena *arena, const char *name, const char **path, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(CNI_CONFIG_DIRECTORY, &entries, by_extension, alphasort);
    const char *found = NULL;

    for (int i = 0; i < count; i++) {
        const char *one = arena_printf(arena, CNI_CONFIG_DIRECTORY "/%s", entries[i]->d_name);
        struct cni_config config = {0};
        struct error problem = {0};

        free(entries[i]);
        if (found != NULL)
            continue;
        if (cni_config_read(arena, one, &config, &problem) < 0)
            log_warning("%s", problem.message);
        else if (config.name != NULL && strcmp(config.name, name) == 0)
            found = one;
    }
    free(entries);
    if (found == NULL)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "no network \"%.128s\" in " CNI_CONFIG_DIRECTORY
                         "; the option conflist names the file of another",
                         name);
    *path = found;
    return 0;
}

bool cni_plugin_has(const struct json *plugin, const char *capability)
{
    const struct json *value = json_get(json_get(plugin, "capabilities"), capability);

    return value != NULL && value->type == JSON_BOOLEAN && value->boolean;
}
