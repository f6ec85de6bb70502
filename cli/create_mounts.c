/* --mount FIELD=VALUE,...: its fields are a table of options too. See create_values.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "create_values.h"

static int read_octal(const struct option_reader *reader, const char *text)
{
    const char *end = text;
    uint64_t mode;

    if (!number_take(&end, 8, 07777, &mode) || *end != '\0')
        return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                         "--mount tmpfs-mode: \"%.16s\" is not an octal mode", text);
    request_set_integer(request_at(reader->request, reader->object, reader->row->member),
                        (int64_t)mode);
    return 0;
}

static const struct option_row fields[] = {
    {"type", 0, OPTION_TEXT, .member = "Type"},
    {"source", 0, OPTION_TEXT, .member = "Source"},
    {"src", 0, OPTION_TEXT, .member = "Source"},
    {"target", 0, OPTION_TEXT, .member = "Target"},
    {"dst", 0, OPTION_TEXT, .member = "Target"},
    {"destination", 0, OPTION_TEXT, .member = "Target"},
    {"readonly", 0, OPTION_FLAG, .member = "ReadOnly"},
    {"ro", 0, OPTION_FLAG, .member = "ReadOnly"},
    {"bind-propagation", 0, OPTION_TEXT, .member = "BindOptions.Propagation"},
    {"tmpfs-size", 0, OPTION_BYTES, .member = "TmpfsOptions.SizeBytes"},
    {"tmpfs-mode", 0, OPTION_READ, .member = "TmpfsOptions.Mode", .read = read_octal},
    {"volume-nocopy", 0, OPTION_FLAG, .member = "VolumeOptions.NoCopy"},
    {"volume-subpath", 0, OPTION_TEXT, .member = "VolumeOptions.Subpath"},
    {"volume-driver", 0, OPTION_TEXT, .member = "VolumeOptions.DriverConfig.Name"},
    {"volume-label", 0, OPTION_PAIRS, .member = "VolumeOptions.Labels"},
    {"volume-opt", 0, OPTION_PAIRS, .member = "VolumeOptions.DriverConfig.Options"},
};

static int read_field(const struct option_reader *reader, struct request_value *mount, char *field)
{
    struct option_reader field_reader = *reader;
    char *value = strchr(field, '=');
    int result;

    field_reader.object = mount;
    if (value != NULL)
        *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (strcmp(fields[i].name, field) != 0)
            continue;
        if (value == NULL && fields[i].kind != OPTION_FLAG)
            break;
        field_reader.row = &fields[i];
        result = option_take(&field_reader, value);
        return result < 0 ? error_prefix(&reader->cli->err, "--mount") : 0;
    }
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                     "--mount: unknown field \"%.32s\", or one without a value", field);
}

/* Takes a field of a record as RFC 4180 has it, where one in quotes may have commas. NULL: there is
 * none, or a quote is not closed, which leaves *rest where it begins. */
static char *take_field(char **rest)
{
    char *field = *rest;
    char *from;
    char *to;

    if (field == NULL || *field != '"')
        return strsep(rest, ",");
    from = field + 1;
    to = field;
    while (*from != '\0' && (*from != '"' || from[1] == '"')) {
        from += *from == '"' ? 1 : 0;
        *to++ = *from++;
    }
    if (*from != '"' || (from[1] != ',' && from[1] != '\0'))
        return NULL;
    *rest = from[1] == ',' ? from + 2 : NULL;
    *to = '\0';
    return field;
}

int read_mount(const struct option_reader *reader, const char *text)
{
    cleanup_free char *copy = memory_strdup(text);
    char *rest = copy;
    struct request_value *mount = request_append(
        reader->request, request_at(reader->request, reader->object, reader->row->member));
    int result = 0;

    for (char *field = take_field(&rest); result == 0 && field != NULL; field = take_field(&rest))
        result = read_field(reader, mount, field);
    if (result == 0 && rest != NULL)
        return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                         "--mount \"%.128s\": a quote is not closed, or stands in a field", text);
    if (result == 0 && !request_find(mount, "Type"))
        request_set_text(reader->request, request_at(reader->request, mount, "Type"), "volume");
    return result;
}
